// The feeder on a canvas: branches by how far they are loaded, buses by price or voltage; zoom, hover, choice.

import { drawScale, shadeOf, shades, theme } from "./colours.js";
import { card, element, fitCanvas, framed } from "./dom.js";
import { clock, number, phaseName } from "./format.js";
import { bounds, nearestPoint, nearestSegment } from "./geometry.js";
import { choose, listen, state } from "./state.js";
import { BROKEN, drawSymbol, sitesOf } from "./symbols.js";
import { brokenBuses, busValues, describe, isDifference, rangeOf } from "./values.js";

const VIEW = { zoom: 1, x: 0.5, y: 0.5 };
export const MAPS = [];
const FOOT = 46;
const ZOOM_MOST = 60;
const LOADING_RANGE = [0, 1];

export class FeederMap {
  constructor(parent, page, run) {
    Object.assign(this, { page, run, sites: sitesOf(run) });
    const title = page.several ? run.name : "Map of the feeder";
    const tools = { png: () => this.picture(), csv: () => this.numbers() };
    Object.assign(
      this,
      card(parent, { id: `map-${page.runs.indexOf(run)}`, title, unit: "", note: "" }, tools),
    );
    this.box = element("div", undefined, "map");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.tip = element("div", undefined, "tip");
    this.tip.hidden = true;
    this.box.append(this.canvas, this.tip);
    this.place.append(this.box);
    this.frame();
    this.pointers = new Map();
    this.handle();
    MAPS.push(this);
    new ResizeObserver(() => this.draw()).observe(this.box);
    listen(["t", "bus", "quantity", "phase", "scale", "compare", "baseline", "theme"], () => this.draw());
  }

  // Places of buses in a box from 0 to 1; a feeder with coordinates keeps its proportions.
  frame() {
    const [left, right] = bounds(this.run.buses.map((bus) => bus.x));
    const [low, high] = bounds(this.run.buses.map((bus) => bus.y));
    const [wide, tall] = [right - left || 1, high - low || 1];
    this.aspect = this.run.placed ? wide / tall : 0;
    this.spots = this.run.buses.map((bus) => [
      (bus.x - left) / wide,
      this.run.placed ? (high - bus.y) / tall : (bus.y - low) / tall,
    ]);
  }

  size() {
    const width = this.box.clientWidth;
    const ideal = this.aspect ? width / this.aspect : width * 0.75;
    const most = this.page.several || document.documentElement.classList.contains("printing") ? 420 : 560;
    return { width, height: Math.round(Math.max(260, Math.min(most, ideal + 30)) + FOOT) };
  }

  layout() {
    const { width, height } = this.size();
    const [w, h] = [width - 40, height - FOOT - 36];
    const aspect = this.aspect || w / h;
    const [wide, tall] = w / h > aspect ? [h * aspect, h] : [w, w / aspect];
    return {
      width,
      height,
      wide: wide * VIEW.zoom,
      tall: tall * VIEW.zoom,
      cx: width / 2,
      cy: (height - FOOT) / 2,
    };
  }

  project({ wide, tall, cx, cy }) {
    return this.spots.map(([x, y]) => [cx + (x - VIEW.x) * wide, cy + (y - VIEW.y) * tall]);
  }

  draw() {
    if (!this.box.clientWidth) return;
    const colours = theme();
    this.view = this.layout();
    this.points = this.project(this.view);
    const context = fitCanvas(this.canvas, this.view.width, this.view.height);
    context.save();
    context.beginPath();
    context.rect(0, 0, this.view.width, this.view.height - FOOT);
    context.clip();
    this.values = busValues(this.page, this.run, state.t);
    this.range = rangeOf(this.page, this.run, state.t);
    this.drawBranches(context);
    this.drawBuses(context, colours);
    this.drawSites(context, colours);
    context.restore();
    this.drawFoot(context, colours);
    this.say();
  }

  loading(k) {
    return this.run.branch.loading.at(k, Math.min(state.t, this.run.size - 1));
  }

  // Branches of one shade in one stroke: thousands of them are a few dozen strokes.
  drawBranches(context) {
    const byShade = new Map();
    const { css } = shades("loading");
    this.run.branches.forEach((branch, k) => {
      const share = this.loading(k);
      const shade = Number.isNaN(share)
        ? -1
        : Math.round(shadeOf(share, LOADING_RANGE) / 17) * 17 + (share > 1.001 ? 1000 : 0);
      if (!byShade.has(shade)) byShade.set(shade, []);
      byShade.get(shade).push(branch.ends);
    });
    context.lineCap = this.run.buses.length > 1500 ? "butt" : "round";
    for (const shade of [...byShade.keys()].sort((a, b) => a - b)) {
      const share = Math.max(0, Math.min(255, shade)) / 255;
      context.beginPath();
      for (const [a, b] of byShade.get(shade)) {
        context.moveTo(...this.points[a]);
        context.lineTo(...this.points[b]);
      }
      context.lineWidth = (shade < 0 ? 1 : 1.4 + 3.4 * share) * this.strength();
      context.setLineDash(shade < 0 ? [3, 3] : []);
      context.strokeStyle = shade >= 1000 ? BROKEN : css[Math.max(0, Math.min(255, shade))];
      context.stroke();
    }
    context.setLineDash([]);
  }

  strength() {
    return this.run.buses.length > 1500 ? Math.min(1, 0.45 + 0.12 * VIEW.zoom) : 1;
  }

  drawBuses(context, colours) {
    const { css } = shades(describe(this.page, this.run).scale);
    const radius =
      4.6 *
      (this.run.buses.length > 400 ? Math.min(1, 0.42 + 0.1 * VIEW.zoom) : 1) *
      (this.view.width < 500 ? 0.8 : 1);
    const byShade = new Map();
    this.values.forEach((value, k) => {
      if (Number.isNaN(value)) return;
      const shade = shadeOf(value, this.range);
      if (!byShade.has(shade)) byShade.set(shade, []);
      byShade.get(shade).push(k);
    });
    context.strokeStyle = colours.card;
    context.lineWidth = Math.min(1, radius / 4);
    for (const [shade, buses] of byShade) {
      context.beginPath();
      for (const k of buses) {
        const [x, y] = this.points[k];
        if (x < -9 || y < -9 || x > this.view.width + 9 || y > this.view.height) continue;
        if (radius < 3) context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
        else {
          context.moveTo(x + radius, y);
          context.arc(x, y, radius, 0, 2 * Math.PI);
        }
      }
      context.fillStyle = css[shade];
      context.fill();
      if (radius > 3) context.stroke();
    }
  }

  drawSites(context, colours) {
    const scale = this.view.width < 500 ? 0.72 : 1;
    const many = this.sites.length > 120 && VIEW.zoom < 4;
    for (const [name, bus] of this.sites)
      if (!many || name === "substation") drawSymbol(context, name, ...this.points[bus], colours, scale);
    for (const bus of brokenBuses(this.run, Math.min(state.t, this.run.size - 1))) {
      drawSymbol(context, "broken", ...this.points[bus], colours, scale);
    }
    drawSymbol(context, "chosen", ...this.points[state.bus], colours, scale);
    if (VIEW.zoom >= 2.5 || this.run.buses.length < 30) this.drawNames(context, colours);
  }

  drawNames(context, colours) {
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = colours.ink;
    context.strokeStyle = colours.card;
    context.lineWidth = 3;
    let left = 400;
    this.points.forEach(([x, y], k) => {
      if (left <= 0 || x < 0 || y < 0 || x > this.view.width || y > this.view.height - FOOT) return;
      left -= 1;
      context.strokeText(this.run.buses[k].name, x + 8, y - 8);
      context.fillText(this.run.buses[k].name, x + 8, y - 8);
    });
  }

  drawFoot(context, colours) {
    const { width, height } = this.view;
    const { title, unit, digits, scale } = describe(this.page, this.run);
    const wide = Math.min(300, (width - 60) / 2);
    const shown = state.quantity === "voltage" ? 3 : digits;
    drawScale(
      context,
      { x: 16, y: height - 26, width: wide },
      { scale, range: this.range, digits: shown, text: `bus: ${title} [${unit}]` },
      colours,
    );
    drawScale(
      context,
      { x: width - 16 - wide, y: height - 26, width: wide },
      { scale: "loading", range: [0, 100], digits: 0, text: "branch: % of rating" },
      colours,
    );
  }

  say() {
    const { title, unit, digits } = describe(this.page, this.run);
    const [low, high] = this.range;
    const scale = state.scale === "interval" ? "scale of this interval" : "scale of the whole run";
    this.caption.textContent = `${clock(this.run, state.t)}: ${title}, ${state.phase === "mean" ? "mean of a bus's phases" : `phase ${phaseName(state.phase)}`}; ${scale}.`;
    this.canvas.setAttribute(
      "aria-label",
      `Map of ${this.run.feeder} at ${clock(this.run, state.t)}: ${title} from ${number(low, digits)} to ${number(high, digits)} ${unit}`,
    );
  }

  handle() {
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        zoomMaps(Math.exp(-event.deltaY / 400), this, event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    this.canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      this.moved = 0;
    });
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      this.canvas.addEventListener(end, (event) => {
        this.pointers.delete(event.pointerId);
        if (end === "pointerleave") this.tip.hidden = true;
      });
    }
    this.canvas.addEventListener("click", (event) => {
      const bus = this.moved > 5 ? -1 : nearestPoint(this.points, event.offsetX, event.offsetY, 18);
      if (bus >= 0) choose({ bus, run: this.page.runs.indexOf(this.run) });
    });
    this.canvas.addEventListener("dblclick", (event) => zoomMaps(2, this, event.offsetX, event.offsetY));
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      this.hover(event.offsetX, event.offsetY);
      return;
    }
    const here = [event.offsetX, event.offsetY];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId);
    this.moved += Math.hypot(here[0] - last[0], here[1] - last[1]);
    this.pointers.set(event.pointerId, here);
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[1][0], point[1] - other[1][1]);
      zoomMaps(
        apart(here) / (apart(last) || 1),
        this,
        (here[0] + other[1][0]) / 2,
        (here[1] + other[1][1]) / 2,
      );
    } else if (VIEW.zoom > 1) {
      VIEW.x -= (here[0] - last[0]) / this.view.wide;
      VIEW.y -= (here[1] - last[1]) / this.view.tall;
      redrawMaps();
    }
  }

  hover(x, y) {
    const bus = nearestPoint(this.points, x, y, 9);
    const branch = bus < 0 ? nearestSegment(this.points, this.run.branches, x, y, 6) : -1;
    this.tip.hidden = bus < 0 && branch < 0;
    if (this.tip.hidden) return;
    this.tip.textContent = bus >= 0 ? this.busText(bus) : this.branchText(branch);
    this.tip.style.left = `${Math.min(x + 14, this.view.width - this.tip.offsetWidth - 4)}px`;
    this.tip.style.top = `${Math.max(0, y - 34)}px`;
  }

  busText(k) {
    const { unit, digits } = describe(this.page, this.run);
    const bus = this.run.buses[k];
    return `bus ${bus.name} (${bus.phases.map(phaseName).join("")}): ${isDifference(this.page, this.run) ? "difference " : ""}${number(this.values[k], digits)} ${unit}`;
  }

  branchText(k) {
    const branch = this.run.branches[k];
    const share = this.loading(k);
    const rating = Number.isNaN(share)
      ? "no rating"
      : `${number(100 * share, 1)} % of ${number(branch.rating, 0)} A`;
    return `${branch.name}: ${rating}, ${number(this.run.branch.power.at(k, Math.min(state.t, this.run.size - 1)), 1)} kW`;
  }

  picture() {
    return framed(this.canvas, `${this.run.name}, ${clock(this.run, state.t)}`, [], theme());
  }

  numbers() {
    const { title, unit } = describe(this.page, this.run);
    return [
      ["bus", "x", "y", `${title} [${unit}]`],
      ...this.run.buses.map((bus, k) => [bus.name, bus.x, bus.y, this.values[k]]),
    ];
  }
}

function redrawMaps() {
  for (const map of MAPS) {
    map.canvas.classList.toggle("zoomed", VIEW.zoom > 1);
    map.draw();
  }
}

// Zoom all maps about a place of one of them, or about their middle.
export function zoomMaps(factor, map = MAPS[0], x = map.view.cx, y = map.view.cy) {
  const zoom = Math.max(1, Math.min(ZOOM_MOST, VIEW.zoom * factor));
  const ratio = zoom / VIEW.zoom;
  const { wide, tall, cx, cy } = map.view;
  VIEW.x += ((x - cx) / wide) * (1 - 1 / ratio);
  VIEW.y += ((y - cy) / tall) * (1 - 1 / ratio);
  VIEW.zoom = zoom;
  if (zoom === 1) [VIEW.x, VIEW.y] = [0.5, 0.5];
  redrawMaps();
}

export function fitMaps() {
  Object.assign(VIEW, { zoom: 1, x: 0.5, y: 0.5 });
  redrawMaps();
}

// Bring a bus into the middle, close enough to see its neighbours.
export function showOnMap(bus) {
  const [x, y] = MAPS[0].spots[bus];
  Object.assign(VIEW, { zoom: Math.max(VIEW.zoom, MAPS[0].run.buses.length > 1000 ? 12 : 3), x, y });
  redrawMaps();
}
