// What the reader turns: time, search, what maps show, theme; and the page on paper.

import { QUANTITIES, isDark } from "./colours.js";
import { element, options } from "./dom.js";
import { clock, naturally, phaseName } from "./format.js";
import { fitMaps, showOnMap, zoomMaps } from "./map.js";
import { choose, flush, listen, state } from "./state.js";
import { fitAll } from "./timechart.js";

const FOUND = 8;
const PLAY_MS = 200;
const byId = (id) => document.getElementById(id);

export function makeControls(page) {
  makeTime(page);
  makeSearch(page);
  makeChoices(page);
  byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(""));
  byId("zoom-in").addEventListener("click", () => zoomMaps(1.6));
  byId("zoom-out").addEventListener("click", () => zoomMaps(1 / 1.6));
  byId("zoom-fit").addEventListener("click", fitMaps);
  byId("print").addEventListener("click", () => print());
  preparePrint();
}

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  choose({ theme: `${name} ${isDark()}` });
}

function makeTime(page) {
  const slider = byId("time");
  const last = page.longest.size - 1;
  slider.max = last;
  slider.addEventListener("input", () => choose({ t: Number(slider.value) }));
  let timer = null;
  byId("play").addEventListener("click", () => {
    clearInterval(timer);
    timer = timer ? null : setInterval(() => choose({ t: state.t < last ? state.t + 1 : 0 }), PLAY_MS);
    byId("play").textContent = timer ? "❚❚" : "▶";
    byId("play").setAttribute("aria-label", timer ? "pause" : "play");
  });
  const show = () => {
    byId("clock").textContent = clock(page.longest, state.t);
    slider.value = state.t;
  };
  show();
  listen(["t"], show);
  addEventListener("keydown", (event) => {
    if (
      /^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName) ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey
    )
      return;
    if (event.key === "ArrowRight") choose({ t: Math.min(last, state.t + 1) });
    if (event.key === "ArrowLeft") choose({ t: Math.max(0, state.t - 1) });
    if (event.key === "/") {
      event.preventDefault();
      byId("search").focus();
    }
  });
}

// Everything with a name, and the bus where it stands.
function namedThings(run) {
  return [
    ...run.buses.map((bus, k) => ({
      name: bus.name,
      what: `bus, phases ${bus.phases.map(phaseName).join("")}`,
      bus: k,
    })),
    ...run.resources.map((item) => ({ name: item.name, what: item.kind.replace("_", " "), bus: item.bus })),
    ...run.loads.map((item) => ({ name: item.name, what: "load", bus: item.bus })),
    ...run.branches.map((item) => ({ name: item.name, what: item.kind, bus: item.ends[1] })),
    ...run.regulators
      .filter((item) => item.bus !== null)
      .map((item) => ({ name: item.name, what: "voltage regulator", bus: item.bus })),
  ].map((thing) => ({ ...thing, key: thing.name.toLowerCase() }));
}

function makeSearch(page) {
  const things = namedThings(page.runs[0]);
  const input = byId("search");
  const list = byId("found");
  let found = [];
  const open = (shown) => {
    list.hidden = !shown;
    input.setAttribute("aria-expanded", String(shown));
  };
  const close = () => open(false);
  const take = (thing) => {
    input.value = thing.name;
    close();
    choose({ bus: thing.bus });
    showOnMap(thing.bus);
  };
  const show = () => {
    found = matches(things, input.value.trim().toLowerCase());
    list.replaceChildren(
      ...found.map((thing) => {
        const item = element("li", thing.name);
        item.setAttribute("role", "option");
        item.append(" ", element("small", thing.what));
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(thing);
        });
        return item;
      }),
    );
    open(found.length > 0);
  };
  input.addEventListener("input", show);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found.length) take(found[0]);
    if (event.key === "Escape") close();
  });
}

// Equal names first, then names that begin so, then names that contain it; each in natural order.
export function matches(things, wanted) {
  if (!wanted) return [];
  const rank = ({ key }) => (key === wanted ? 0 : key.startsWith(wanted) ? 1 : 2);
  return things
    .filter(({ key }) => key.includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || naturally(a.name, b.name))
    .slice(0, FOUND);
}

function makeChoices(page) {
  const pick = (id, key, pairs) =>
    options(byId(id), pairs, state[key]).addEventListener("change", (event) =>
      choose({ [key]: event.target.value }),
    );
  pick(
    "quantity",
    "quantity",
    Object.entries(QUANTITIES).map(([key, { title }]) => [key, title]),
  );
  const phases = [...new Set(page.runs[0].buses.flatMap((bus) => bus.phases))].sort((a, b) => a - b);
  pick("phase", "phase", [
    ["mean", "mean of phases"],
    ...phases.map((phase) => [String(phase), `phase ${phaseName(phase)}`]),
  ]);
  pick("scale", "scale", [
    ["interval", "scale of this interval"],
    ["run", "scale of the whole run"],
  ]);
  pick("order", "order", [
    ["feeder", "rows outward from the substation"],
    ["name", "rows by name"],
  ]);
  byId("compare").hidden = !page.several;
  pick("compare", "compare", [
    ["values", "values of every run"],
    ["difference", "difference to the baseline"],
  ]);
}

// Paper is white, narrow and has no mouse.
function preparePrint() {
  const root = document.documentElement;
  let before;
  const relay = () => {
    choose({ theme: `print ${root.classList.contains("printing")}` });
    flush();
    fitAll();
  };
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    root.classList.add("printing");
    relay();
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    relay();
  });
}
