// Colours: the page's theme, scales that a colour-blind reader can use, and what a value looks like on them.

import { number } from "./format.js";

export const LINE = {
  wholesale: "#4477aa",
  losses: "#8a8f98",
  generation: "#228833",
  curtailed: "#ee7733",
  storage: "#66ccee",
  lmp: "#aa3377",
  high: "#cc3311",
  low: "#4477aa",
  rating: "#ee7733",
};

// Paul Tol's bright scheme; lines of runs differ in their dashes too.
export const RUN_COLOURS = ["#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#8a8f98"];
export const RUN_DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 4], [1, 2]];

const STOPS = {
  viridis: [
    "#440154",
    "#482878",
    "#3e4a89",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
  ],
  balance: {
    light: ["#1f4e8c", "#5b93c7", "#eef0f2", "#e08a4a", "#9a3b10"],
    dark: ["#6fb1f0", "#3d6f9f", "#3a4048", "#b96a35", "#ffab6b"],
  },
  loading: {
    light: ["#c3c9d1", "#e9b45c", "#d4622a", "#861c10"],
    dark: ["#4a525c", "#9b6430", "#e58b3c", "#ffd9a0"],
  },
};
const SHADES = 256;
const MADE = new Map();

export const QUANTITIES = {
  dlmp_real: { title: "d-LMP, real power", unit: "$/MWh", digits: 2, scale: "viridis" },
  dlmp_reactive: {
    title: "d-LMP, reactive power",
    unit: "$/(MVAR h)",
    digits: 2,
    scale: "balance",
    centre: 0,
  },
  voltage: { title: "voltage", unit: "pu", digits: 4, scale: "balance", centre: 1 },
  loss: { title: "loss part of the d-LMP", unit: "$/MWh", digits: 2, scale: "balance", centre: 0 },
  voltage_part: { title: "voltage part of the d-LMP", unit: "$/MWh", digits: 2, scale: "balance", centre: 0 },
  congestion: {
    title: "line rating part of the d-LMP",
    unit: "$/MWh",
    digits: 2,
    scale: "balance",
    centre: 0,
  },
};

export function isDark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    paper: read("--paper"),
    card: read("--card"),
    ink: read("--ink"),
    muted: read("--muted"),
    line: read("--line"),
  };
}

function channels(colour) {
  return [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
}

// Shades of a scale as [red, green, blue], from its lowest to its highest value.
export function shades(name) {
  const dark = isDark();
  const key = `${name} ${dark}`;
  if (!MADE.has(key)) {
    const listed = Array.isArray(STOPS[name]) ? STOPS[name] : STOPS[name][dark ? "dark" : "light"];
    const stops = listed.map(channels);
    const made = Array.from({ length: SHADES }, (_, k) => {
      const place = (k / (SHADES - 1)) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      return stops[low].map((value, c) => Math.round(value + (place - low) * (stops[low + 1][c] - value)));
    });
    MADE.set(key, { rgb: made, css: made.map(([r, g, b]) => `rgb(${r},${g},${b})`) });
  }
  return MADE.get(key);
}

export function shadeOf(value, [low, high]) {
  return Math.max(0, Math.min(SHADES - 1, Math.round(((value - low) / (high - low)) * (SHADES - 1))));
}

export function around(range, centre) {
  const reach = Math.max(Math.abs(range[0] - centre), Math.abs(range[1] - centre)) || 1e-6;
  return [centre - reach, centre + reach];
}

// A scale as a gradient with its ends written under it.
export function drawScale(context, box, { scale, range, text, digits }, colours) {
  const { css } = shades(scale);
  const wide = box.width / css.length;
  css.forEach((colour, k) => {
    context.fillStyle = colour;
    context.fillRect(box.x + k * wide, box.y, wide + 0.5, 7);
  });
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.muted;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(number(range[0], digits), box.x, box.y + 19);
  context.textAlign = "right";
  context.fillText(number(range[1], digits), box.x + box.width, box.y + 19);
  context.textAlign = "center";
  context.fillStyle = colours.ink;
  context.fillText(text, box.x + box.width / 2, box.y - 5, box.width);
}
