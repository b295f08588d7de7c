// Charts over time, drawn by uPlot: linked cursor, zoom and time of the whole page, with legend, picture and numbers.

import { card, element, framed } from "./dom.js";
import { theme } from "./colours.js";
import { momentsBetween, number, tick } from "./format.js";
import { choose, listen, state } from "./state.js";

export const MADE_CHARTS = [];
const LEFT_AXIS = 58;

export class TimeChart {
  // `build` returns lines, limits and whether the axis is logarithmic; it is called again when its `needs` change.
  constructor(parent, page, { height = 190, digits = 2, needs = [], build, ...about }) {
    Object.assign(this, { page, height, digits, build, about });
    this.longest = page.runs.reduce((a, b) => (a.size >= b.size ? a : b));
    const tools = { png: () => this.picture(), csv: () => this.numbers() };
    Object.assign(this, card(parent, about, tools));
    this.legend = element("ul", undefined, "legend");
    this.plot = element("div", undefined, "plot");
    this.place.append(this.legend, this.plot);
    new ResizeObserver(() => this.fit()).observe(this.plot);
    listen(["theme", ...needs], () => this.make());
    listen(["t"], () => this.mark());
    listen(["window"], () => this.zoom());
    MADE_CHARTS.push(this);
    this.make();
  }

  make() {
    this.chart?.destroy();
    this.spec = { limits: [], ...this.build() };
    const plan = layers(this.spec.lines, this.longest.size);
    const first = this.longest.start;
    const x = Array.from({ length: this.longest.size + 1 }, (_, t) => first + t * this.longest.period);
    const limits = this.spec.limits.map(({ value }) => x.map(() => value));
    this.chart = new uPlot(this.settings(plan), [x, ...plan.data, ...limits], this.plot);
    this.marker = element("div", undefined, "marker");
    this.chart.over.append(this.marker);
    this.pressed();
    this.write();
    this.zoom();
    this.mark();
  }

  settings(plan) {
    const colours = theme();
    const limits = this.spec.limits.map(() => lineStyle({ colour: "#cc3311", width: 1.2, dash: [6, 4] }));
    return {
      width: Math.max(this.plot.clientWidth, 200),
      height: this.height,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "time", setSeries: false, scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        y: false,
        points: { show: false },
      },
      scales: {
        x: { time: false },
        y: {
          distr: this.spec.log ? 3 : 1,
          range: this.spec.range || ((chart, low, high) => roomy(low, high, this.spec)),
        },
      },
      axes: [this.timeAxis(colours), this.valueAxis(colours)],
      series: [{}, ...plan.series, ...limits],
      bands: plan.bands,
      hooks: {
        setCursor: [(chart) => this.write(chart.cursor.idx)],
        setSelect: [(chart) => this.selected(chart)],
      },
    };
  }

  timeAxis(colours) {
    return {
      stroke: colours.muted,
      grid: { stroke: colours.line, width: 0.5 },
      ticks: { stroke: colours.line, width: 0.5, size: 4 },
      font: "11px system-ui, sans-serif",
      size: 40,
      gap: 2,
      splits: (chart, _, low, high) => this.ticks(chart, low, high),
      values: (_, splits) => splits.map((moment) => tick(this.longest, moment)),
    };
  }

  ticks(chart, low, high) {
    return momentsBetween(
      this.longest,
      low,
      high,
      Math.max(2, Math.floor(chart.bbox.width / devicePixelRatio / 64)),
    );
  }

  valueAxis(colours) {
    const { log, whole, ticks: digits } = this.spec;
    const values = log
      ? (_, splits) => splits.map((value) => `1e${Math.round(Math.log10(value))}`)
      : (_, splits) => splits.map((value) => number(value, digits));
    return {
      stroke: colours.muted,
      grid: { stroke: colours.line, width: 0.5 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      size: LEFT_AXIS,
      gap: 4,
      space: 28,
      ...(log || digits !== undefined ? { values } : {}),
      ...(log ? { splits: (_, __, low, high) => decades(low, high), filter: (_, splits) => splits } : {}),
      ...(whole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] } : {}),
    };
  }

  // A press without a drag chooses the interval under it; a double press shows the whole run again.
  pressed() {
    const { over } = this.chart;
    let from = null;
    over.addEventListener("pointerdown", (event) => {
      from = event.clientX;
    });
    over.addEventListener("click", (event) => {
      if (from === null || Math.abs(event.clientX - from) > 4) return;
      const moment = this.chart.posToVal(event.offsetX, "x");
      choose({
        t: Math.max(
          0,
          Math.min(this.longest.size - 1, Math.floor((moment - this.longest.start) / this.longest.period)),
        ),
      });
    });
    over.addEventListener("dblclick", () => choose({ window: null }));
  }

  selected(chart) {
    const { left, width } = chart.select;
    if (width < 6) return;
    choose({ window: [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")] });
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  zoom() {
    const [min, max] = state.window || [
      this.longest.start,
      this.longest.start + this.longest.size * this.longest.period,
    ];
    this.chart.setScale("x", { min, max });
    this.mark();
  }

  mark() {
    const { start, period, size } = this.longest;
    const left = this.chart.valToPos(start + (Math.min(state.t, size - 1) + 0.5) * period, "x");
    this.marker.hidden = !(left >= 0 && left <= this.chart.over.clientWidth);
    this.marker.style.transform = `translateX(${left}px)`;
    this.write(this.chart.cursor.idx);
  }

  // The legend says the values under the cursor, or at the chosen time.
  write(index) {
    const named = this.spec.lines.filter((line) => !line.unnamed);
    if (this.legend.children.length !== named.length) this.legend.replaceChildren(...named.map(legendItem));
    const t = Math.min(index ?? state.t, this.longest.size - 1);
    named.forEach((line, k) => {
      const item = this.legend.children[k];
      if (item.dataset.name !== line.label) item.replaceWith(legendItem(line));
      this.legend.children[k].lastChild.textContent = this.valueText(line, t);
    });
  }

  valueText(line, t) {
    const value = line.values[t];
    if (value === undefined || value === null || Number.isNaN(value)) return "";
    return this.spec.log ? value.toExponential(1) : number(value, line.digits ?? this.digits);
  }

  fit() {
    const width = this.plot.clientWidth;
    if (!width || width === this.chart.width) return;
    this.chart.setSize({ width, height: this.height });
    this.mark();
  }

  picture() {
    const { title, unit } = this.about;
    const named = this.spec.lines.filter((line) => !line.unnamed).map((line) => [line.colour, line.label]);
    return framed(this.chart.ctx.canvas, unit ? `${title} [${unit}]` : title, named, theme());
  }

  numbers() {
    const unit = this.about.unit ? ` [${this.about.unit}]` : "";
    const head = ["local time", ...this.spec.lines.map((line) => `${line.name || line.label}${unit}`)];
    return [
      head,
      ...this.longest.times.map((when, t) => [when, ...this.spec.lines.map((line) => line.values[t])]),
    ];
  }
}

export function fitAll() {
  for (const chart of MADE_CHARTS) chart.fit();
}

function legendItem(line) {
  const item = element("li");
  const key = element("i", undefined, line.kind || "line");
  key.style.color = line.colour;
  if (line.dash?.length) key.style.borderImage = dashes(line);
  item.append(key, element("span", line.label), element("b"));
  item.dataset.name = line.label;
  return item;
}

// The dashes of a line, as the picture that borders its key.
function dashes({ colour, dash }) {
  let at = 0;
  const stops = dash.flatMap((long, k) => {
    const shade = k % 2 ? "transparent" : colour;
    const made = [`${shade} ${at}px`, `${shade} ${at + long}px`];
    at += long;
    return made;
  });
  return `repeating-linear-gradient(90deg, ${stops.join(", ")}) 1`;
}

function lineStyle({ colour, width = 1.5, dash = [], kind = "line", smooth = false }) {
  const stepped = smooth ? uPlot.paths.linear() : uPlot.paths.stepped({ align: 1 });
  const dots = kind === "points";
  return {
    stroke: colour,
    width: dots ? 0 : width,
    dash,
    paths: dots ? () => null : stepped,
    spanGaps: false,
    points: { show: dots, size: 4, fill: colour, stroke: colour },
  };
}

// What uPlot draws: a line each, and for areas their lower and upper edges, stacked away from zero on both sides.
function layers(lines, size) {
  const plan = { series: [], data: [], bands: [] };
  const stack = { up: new Float64Array(size), down: new Float64Array(size) };
  for (const line of lines) {
    if (line.kind === "area") addArea(plan, line, stack, size);
    else if (line.under) addBand(plan, line, size);
    else {
      plan.series.push(lineStyle(line));
      plan.data.push(extended(line.values, size, line.kind === "points"));
    }
  }
  return plan;
}

function addArea(plan, line, stack, size) {
  const lower = new Float64Array(size);
  const upper = new Float64Array(size);
  for (let t = 0; t < size; t += 1) {
    const value = line.values[t] || 0;
    const side = value < 0 ? stack.down : stack.up;
    [lower[t], upper[t]] = value < 0 ? [side[t] + value, side[t]] : [side[t], side[t] + value];
    side[t] += value;
  }
  addEdges(plan, [lower, upper], line.colour, line.colour, 0, size);
}

// The range between two rows of values, such as the lowest and the highest of all nodes.
function addBand(plan, line, size) {
  addEdges(plan, [line.under, line.values], `${line.colour}44`, line.colour, 1, size);
}

function addEdges(plan, edges, fill, colour, width, size) {
  const k = plan.series.length + 1;
  for (const edge of edges) {
    plan.series.push({ ...lineStyle({ colour, width }), ...(width ? {} : { stroke: "transparent" }) });
    plan.data.push(extended(edge, size, false));
  }
  plan.bands.push({ series: [k + 1, k], fill });
}

// The last interval ends a period after its start: its value stands until then.
function extended(values, size, dots) {
  const made = Array.from({ length: size + 1 }, (_, t) => values[Math.min(t, size - 1)]).map((value) =>
    value === undefined || Number.isNaN(value) ? null : value,
  );
  if (dots || values.length < size) made[size] = null;
  return made;
}

function roomy(low, high, { whole, floor }) {
  if (low === null || high === null || low === undefined) return [0, 1];
  const room = whole ? 0.5 : 0.06 * (high - low || Math.abs(high) || 1);
  return [
    floor !== undefined && low >= floor ? floor : low - room,
    Math.max(high + room, (floor ?? -Infinity) + 1),
  ];
}

// Every second power of ten.
function decades(low, high) {
  const [from, to] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  return Array.from({ length: to - from + 1 }, (_, k) => from + k)
    .filter((power) => power % 2 === 0)
    .map((power) => 10 ** power);
}
