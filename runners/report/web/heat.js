// A quantity over time and place as an image: one row per node or branch, one column per interval.

import { QUANTITIES, around, drawScale, shadeOf, shades, theme } from "./colours.js";
import { card, element, fitCanvas, framed } from "./dom.js";
import { clock, momentsBetween, naturally, number, tick } from "./format.js";
import { choose, listen, state } from "./state.js";
import { describe, isDifference, wholeRange } from "./values.js";

const AXIS = { left: 98, right: 22, top: 26, bottom: 34 };
const HEIGHT = 420;
const LINES_MOST = 800;

export const HEATS = [];

export class HeatMap {
  // `source` tells rows, their values and their scale: nodes by the chosen quantity, or branches by loading.
  constructor(parent, page, run, source) {
    Object.assign(this, { page, run, source });
    const about = {
      id: `heat-${source.key}-${page.runs.indexOf(run)}`,
      title: page.several ? `${run.name}: ${source.title.toLowerCase()}` : source.title,
      unit: "",
      note: "",
    };
    Object.assign(this, card(parent, about, { png: () => this.picture(), csv: () => this.numbers() }));
    this.box = element("div", undefined, "map");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.tip = element("div", undefined, "tip");
    this.tip.hidden = true;
    this.marker = element("div", undefined, "marker");
    this.box.append(this.canvas, this.marker, this.tip);
    this.place.append(this.box);
    this.image = document.createElement("canvas");
    HEATS.push(this);
    this.handle();
    new ResizeObserver(() => this.draw()).observe(this.box);
    listen(["quantity", "order", "compare", "baseline", "theme"], (keys) => this.paint(keys));
    listen(["window"], () => this.draw());
    listen(["bus"], () => this.nameRows());
    listen(["t"], () => this.mark());
  }

  paint(keys) {
    const redone = keys.has("theme") || keys.has("order") || this.source.key === "nodes" || this.page.several;
    if (!redone && this.rows) return;
    this.rows = this.source.rows(this.run);
    const { scale, range } = this.source.scale(this.page, this.run);
    const shade = shades(scale).rgb.map(([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
    this.block = Math.max(1, Math.floor(this.rows.length / LINES_MOST));
    const height = Math.max(1, Math.ceil(this.rows.length / this.block));
    const picture = new ImageData(this.run.size, height);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let line = 0; line < height && this.rows.length; line += 1) {
      this.lineMeans(line).forEach((value, t) => {
        if (!Number.isNaN(value)) pixels[line * this.run.size + t] = shade[shadeOf(value, range)];
      });
    }
    Object.assign(this.image, { width: this.run.size, height });
    this.image.getContext("2d").putImageData(picture, 0, 0);
    this.draw();
  }

  // Values of a line of the image: a row, or where there are more rows than lines the mean of several.
  lineMeans(line) {
    const rows = this.rows.slice(line * this.block, (line + 1) * this.block);
    const sums = new Float64Array(this.run.size);
    for (const { column } of rows) this.source.add(this.page, this.run, column, sums);
    return rows.length > 1 ? sums.map((sum) => sum / rows.length) : sums;
  }

  span() {
    const { start, period, size } = this.page.longest;
    const [from, to] = state.window || [start, start + size * period];
    return { from: (from - start) / period, to: (to - start) / period };
  }

  draw() {
    if (!this.box.clientWidth) return;
    if (!this.rows) this.paint(new Set(["theme"]));
    const colours = theme();
    const width = this.box.clientWidth;
    const context = fitCanvas(this.canvas, width, HEIGHT);
    const plot = {
      x: AXIS.left,
      y: AXIS.top,
      width: width - AXIS.left - AXIS.right,
      height: HEIGHT - AXIS.top - AXIS.bottom,
    };
    const { from, to } = this.span();
    this.plot = plot;
    context.save();
    context.beginPath();
    context.rect(plot.x, plot.y, plot.width, plot.height);
    context.clip();
    context.imageSmoothingEnabled = this.image.height > plot.height;
    const each = plot.width / (to - from);
    context.drawImage(this.image, plot.x - from * each, plot.y, this.run.size * each, plot.height);
    context.restore();
    this.drawAxes(context, colours);
    this.mark();
  }

  drawAxes(context, colours) {
    const { plot } = this;
    const { scale, range, text, digits } = this.source.scale(this.page, this.run);
    const wide = Math.min(340, plot.width - 60);
    drawScale(
      context,
      { x: plot.x + plot.width - wide, y: 14, width: wide },
      { scale, range, text: "", digits },
      { ...colours, muted: "transparent" },
    );
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    context.textBaseline = "middle";
    const end = plot.x + plot.width - wide;
    context.textAlign = "right";
    context.fillText(number(range[0], digits), end - 4, 18);
    context.textAlign = "right";
    context.fillText(`${number(range[1], digits)} ${text}`, plot.x + plot.width, 6);
    this.drawTimes(context, colours, plot);
    this.nameRows();
  }

  nameRows() {
    if (!this.plot) return;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, this.plot.y - 9, this.plot.x - 0.5, this.plot.height + 13);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme().muted;
    context.textBaseline = "middle";
    context.textAlign = "right";
    this.drawNames(context, theme(), this.plot, this.rows);
  }

  drawNames(context, colours, plot, rows) {
    const every = Math.max(1, Math.ceil((rows.length * 16) / plot.height));
    const mine = rows.findIndex(({ bus }) => bus === state.bus);
    rows.forEach(({ name }, k) => {
      if (k % every === 0 && (mine < 0 || Math.abs(k - mine) * plot.height > 13 * rows.length))
        context.fillText(short(name), plot.x - 6, plot.y + ((k + 0.5) / rows.length) * plot.height);
    });
    context.fillStyle = colours.ink;
    context.font = "600 11px system-ui, sans-serif";
    if (mine >= 0)
      context.fillText(
        `${short(rows[mine].name)} ▸`,
        plot.x - 1,
        plot.y + ((mine + 0.5) / rows.length) * plot.height,
      );
  }

  drawTimes(context, colours, plot) {
    const { start, period } = this.page.longest;
    const { from, to } = this.span();
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const moment of momentsBetween(
      this.page.longest,
      start + from * period,
      start + to * period,
      Math.max(2, plot.width / 70),
    )) {
      const x = plot.x + (((moment - start) / period - from) / (to - from)) * plot.width;
      tick(this.page.longest, moment)
        .split("\n")
        .forEach((line, n) => context.fillText(line, x, plot.y + plot.height + 5 + 13 * n));
    }
  }

  mark() {
    if (!this.plot) return;
    const { from, to } = this.span();
    const x = this.plot.x + ((state.t + 0.5 - from) / (to - from)) * this.plot.width;
    this.marker.hidden = x < this.plot.x || x > this.plot.x + this.plot.width;
    this.marker.style.cssText = `transform: translateX(${x}px); top: ${this.plot.y}px; height: ${this.plot.height}px`;
    const { title } = this.source.scale(this.page, this.run);
    this.caption.textContent = `${title}: rows are ${this.source.what}, ${state.order === "feeder" ? "from the substation outward" : "by name"}; columns are intervals${this.block > 1 ? `; a line is the mean of ${this.block} rows` : ""}.`;
    this.canvas.setAttribute("aria-label", `${this.run.name}: ${this.caption.textContent}`);
  }

  // Row and interval under a point of the canvas; null outside.
  under(x, y) {
    if (!this.plot) return null;
    const { from, to } = this.span();
    const t = Math.floor(from + ((x - this.plot.x) / this.plot.width) * (to - from));
    const row = Math.floor(((y - this.plot.y) / this.plot.height) * this.rows.length);
    return t >= 0 && t < this.run.size && x >= this.plot.x && row >= 0 && row < this.rows.length
      ? { t, row }
      : null;
  }

  handle() {
    this.canvas.addEventListener("pointermove", (event) => {
      const at = this.under(event.offsetX, event.offsetY);
      this.tip.hidden = !at;
      if (!at) return;
      const { digits, text } = this.source.scale(this.page, this.run);
      const value = this.source.reader(this.page, this.run)(this.rows[at.row].column, at.t);
      this.tip.textContent = `${this.rows[at.row].name} at ${clock(this.run, at.t).slice(11)}: ${number(value, digits)} ${text}`;
      this.tip.style.left = `${Math.min(event.offsetX + 14, this.box.clientWidth - this.tip.offsetWidth - 4)}px`;
      this.tip.style.top = `${Math.max(0, event.offsetY - 34)}px`;
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
    this.canvas.addEventListener("click", (event) => {
      const at = this.under(event.offsetX, event.offsetY);
      if (at) choose({ t: at.t, bus: this.rows[at.row].bus, run: this.page.runs.indexOf(this.run) });
    });
  }

  picture() {
    return framed(
      this.canvas,
      `${this.run.name}: ${this.source.scale(this.page, this.run).title}`,
      [],
      theme(),
    );
  }

  numbers() {
    const read = this.source.reader(this.page, this.run);
    const head = [this.source.what, ...this.run.times];
    return [
      head,
      ...this.rows.map(({ name, column }) => [name, ...this.run.times.map((_, t) => read(column, t))]),
    ];
  }
}

function short(name) {
  return name.length > 13 ? `${name.slice(0, 12)}…` : name;
}

function ordered(rows) {
  return state.order === "feeder" ? rows : [...rows].sort((a, b) => naturally(a.name, b.name));
}

export const BY_NODE = {
  key: "nodes",
  title: "Every node over time",
  what: "nodes",
  rows: (run) =>
    ordered(
      run.nodes
        .map(({ bus, name }, column) => ({ name, column, bus }))
        .filter(({ column }) => run.nodal.voltage.isKnown(column)),
    ),
  reader: (page, run) => {
    const table = run.nodal[state.quantity];
    if (!isDifference(page, run)) return (column, t) => table.at(column, t);
    const base = page.runs[state.baseline].nodal[state.quantity];
    return (column, t) => (t < base.rows ? table.at(column, t) - base.at(column, t) : NaN);
  },
  add: (page, run, column, sums) => {
    run.nodal[state.quantity].addTo(column, sums, 1);
    if (!isDifference(page, run)) return;
    const base = page.runs[state.baseline].nodal[state.quantity];
    base.addTo(column, sums, -1);
    sums.fill(NaN, base.rows);
  },
  scale: (page, run) => {
    const { title, unit, scale, centre } = describe(page, run);
    const alike = page.runs.filter((one) => isDifference(page, one) === isDifference(page, run));
    const range = wholeRange(page, alike, isDifference(page, run));
    return {
      title,
      text: unit,
      digits: QUANTITIES[state.quantity].digits,
      scale,
      range: centre === undefined ? range : around(range, centre),
    };
  },
};

export const BY_BRANCH = {
  key: "branches",
  title: "Every rated branch over time",
  what: "branches with a rating",
  rows: (run) =>
    ordered(
      run.branches
        .map(({ name, ends }, column) => ({ name, column, bus: ends[1] }))
        .filter(({ column }) => run.branch.loading.isKnown(column)),
    ),
  reader: (page, run) => (column, t) => 100 * run.branch.loading.at(column, t),
  add: (page, run, column, sums) => run.branch.loading.addTo(column, sums, 100),
  scale: () => ({
    title: "branch loading",
    text: "% of rating",
    digits: 0,
    scale: "loading",
    range: [0, 100],
  }),
};
