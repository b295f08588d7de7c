// Bars of money and energy: one run, or all of them beside each other, each bar with its figure.

import { LINE, RUN_COLOURS, theme } from "./colours.js";
import { card, element, fitCanvas, framed } from "./dom.js";
import { number } from "./format.js";
import { listen } from "./state.js";

const SIDES = [
  ["loads pay", (a) => a.load_usd],
  ["paid to generators and storage", (a) => -a.dg_usd],
  ["paid for demand not consumed", (a) => -a.flex_usd],
  ["wholesale purchase", (a) => -a.wholesale_usd],
  ["operator keeps", (a) => a.net_revenue_usd],
];

const CAUSES = [
  ["losses, collected through prices", "loss_collected"],
  ["losses, bought at the LMP", "loss_cost"],
  ["voltage limits", "voltage"],
  ["line ratings", "congestion"],
  ["reactive energy", "reactive"],
  ["paid for demand not consumed", "curtailment"],
];
const OF_ADDER = ["substation's adder on losses", "substation"];

const USES = [
  ["demand served", "load"],
  ["bought from wholesale", "wholesale"],
  ["generated on the feeder", "dg"],
  ["demand not consumed", "flex"],
  ["losses", "losses"],
];

const TEXT = 17;
const BAR = 14;

export function moneyCharts(page) {
  const place = document.getElementById("money");
  const split = page.runs.filter((run) => run.account.net_revenue_parts_usd);
  const parts = (run) => run.account.net_revenue_parts_usd;
  const causes = split.some((run) => "substation" in parts(run)) ? [...CAUSES, OF_ADDER] : CAUSES;
  new Bars(
    place,
    page.runs,
    SIDES.map(([name, read]) => [name, (run) => read(run.account)]),
    {
      id: "ledger",
      title: "Who pays whom",
      unit: "$",
      note: "Money of the whole run, at the prices of the final clearings: positive is what the operator takes in.",
      digits: 2,
    },
  );
  if (split.length)
    new Bars(
      place,
      split,
      causes.map(([name, key]) => [name, (run) => parts(run)[key] ?? 0]),
      {
        id: "causes",
        title: "Where the operator's net revenue comes from",
        unit: "$",
        note: `The parts of the prices, each times what was drawn; they add up to what the operator keeps.${split.length < page.runs.length ? ` Only ${split.map((run) => run.name).join(", ")} has them.` : ""}`,
        digits: 2,
      },
    );
  new Bars(
    place,
    page.runs,
    USES.map(([name, key]) => [name, (run) => run.account.energy_kwh[key]]),
    {
      id: "energy",
      title: "Energy",
      unit: "kWh",
      note: "Real energy of the whole run, by meter.",
      digits: 0,
    },
  );
}

class Bars {
  constructor(parent, runs, rows, { digits, ...about }) {
    Object.assign(this, { runs, rows, digits, about });
    Object.assign(this, card(parent, about, { png: () => this.picture(), csv: () => this.numbers() }));
    if (runs.length > 1) this.place.append(this.keys());
    this.box = element("div", undefined, "bars");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute(
      "aria-label",
      `${about.title}: ${rows.map(([name, read]) => `${name} ${runs.map((run) => number(read(run), digits)).join(", ")}`).join("; ")} ${about.unit}`,
    );
    this.box.append(this.canvas);
    this.place.append(this.box);
    new ResizeObserver(() => this.draw()).observe(this.box);
    listen(["theme"], () => this.draw());
  }

  keys() {
    const list = element("ul", undefined, "legend");
    for (const [colour, name] of this.legend()) {
      const item = element("li");
      const key = element("i", undefined, "area");
      key.style.color = colour;
      item.append(key, element("span", name));
      list.append(item);
    }
    return list;
  }

  legend() {
    return this.runs.length > 1
      ? this.runs.map((run, k) => [RUN_COLOURS[k % RUN_COLOURS.length], run.name])
      : [];
  }

  draw() {
    const width = this.box.clientWidth;
    if (!width) return;
    const colours = theme();
    const each = TEXT + this.runs.length * (BAR + 3) + 6;
    const context = fitCanvas(this.canvas, width, this.rows.length * each + 4);
    const values = this.rows.flatMap(([, read]) => this.runs.map(read));
    context.font = "12px system-ui, sans-serif";
    const room =
      Math.max(...values.map((value) => context.measureText(number(value, this.digits)).width)) + 10;
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const left = low < 0 ? room : 2;
    const scale = (width - left - room) / (high - low || 1);
    const zero = left - low * scale;
    this.rows.forEach(([name, read], r) =>
      this.drawRow(context, name, read, r * each, { colours, zero, scale, width }),
    );
  }

  drawRow(context, name, read, top, { colours, zero, scale }) {
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = colours.muted;
    context.fillText(name, 2, top + TEXT / 2);
    context.fillRect(zero - 0.5, top + TEXT - 1, 1, this.runs.length * (BAR + 3));
    this.runs.forEach((run, k) => {
      const value = read(run);
      const y = top + TEXT + k * (BAR + 3);
      const long = value * scale;
      context.fillStyle =
        this.runs.length > 1 ? RUN_COLOURS[k % RUN_COLOURS.length] : value < 0 ? LINE.rating : LINE.wholesale;
      context.fillRect(Math.min(zero, zero + long), y, Math.max(Math.abs(long), 1), BAR);
      context.fillStyle = colours.ink;
      context.textAlign = value < 0 ? "right" : "left";
      context.fillText(number(value, this.digits), zero + long + (value < 0 ? -5 : 5), y + BAR / 2 + 1);
    });
  }

  picture() {
    return framed(this.canvas, `${this.about.title} [${this.about.unit}]`, this.legend(), theme());
  }

  numbers() {
    return [
      ["", ...this.runs.map((run) => `${run.name} [${this.about.unit}]`)],
      ...this.rows.map(([name, read]) => [name, ...this.runs.map(read)]),
    ];
  }
}
