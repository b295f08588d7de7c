// Buses: what stands at the chosen one, and a table of all of them that can be sorted and searched.

import { card, element, rowOf, table } from "./dom.js";
import { clock, naturally, number, phaseName } from "./format.js";
import { extremes } from "./lines.js";
import { choose, listen, state } from "./state.js";
import { atBus } from "./unpack.js";

const SHOWN = 25;

export function showChosenBus(page) {
  const made = card(document.getElementById("details"), { id: "bus-card", title: "", note: "" });
  const body = element("div");
  made.place.append(body);
  const fill = () => {
    const run = page.runs[state.run];
    const bus = run.buses[state.bus];
    made.heading.textContent = `Bus ${bus.name}`;
    made.caption.textContent = `At ${clock(run, state.t)}; choose another on the map, in a table or by search.`;
    const devices = deviceTable(page, state.bus);
    devices.classList.add("tall");
    body.replaceChildren(nodeTable(page, bus), devices);
  };
  fill();
  listen(["t", "bus", "run"], fill);
}

const AT_NODE = [
  ["voltage [pu]", (at) => at("voltage"), 4],
  ["voltage, predicted", (at) => at("voltage") + at("prediction_error"), 4],
  ["d-LMP [$/MWh]", (at) => at("dlmp_real"), 2],
  ["of it the substation", (at) => at("substation"), 2, "substation"],
  ["of it losses", (at) => at("loss"), 2],
  ["of it voltage limits", (at) => at("voltage_part"), 2],
  ["of it line ratings", (at) => at("congestion"), 2],
  ["reactive d-LMP [$/(MVAR h)]", (at) => at("dlmp_reactive"), 2],
];

// One run has its phases as columns, several have a row for each of their phases.
function nodeTable(page, bus) {
  const shown = AT_NODE.filter(([, , , needs]) => !needs || page.runs.every((run) => run.nodal[needs]));
  const nodes = page.runs.flatMap((run) =>
    bus.phases.map((phase, k) => ({ run, phase: phaseName(phase), node: bus.first + k })),
  );
  const text = ({ run, node }, [, read, digits]) =>
    number(
      read((quantity) => run.nodal[quantity].at(node, Math.min(state.t, run.size - 1))),
      digits,
    );
  if (!page.several)
    return table(
      shown.map((row) => [row[0], ...nodes.map((node) => text(node, row))]),
      ["phase", ...nodes.map(({ phase }) => phase)],
    );
  return table(
    nodes.map((node) => [node.run.name, node.phase, ...shown.map((row) => text(node, row))]),
    ["run", "phase", ...shown.map(([name]) => name)],
  );
}

function deviceTable(page, bus) {
  const rows = page.runs.flatMap((run) => {
    const t = Math.min(state.t, run.size - 1);
    const before = page.several ? [run.name] : [];
    const here = (items) => items.map((item, k) => ({ ...item, k })).filter((item) => item.bus === bus);
    const loads = here(run.loads).map(({ name, k }) => [
      ...before,
      name,
      "load",
      number(run.served.at(k, t), 1),
      "",
    ]);
    const sold = here(run.resources).map(({ name, kind, kw_max: most, k }) => [
      ...before,
      name,
      kind.replace("_", " "),
      number(run.dispatch.at(k, t), 1),
      number(most, 1),
    ]);
    return [...loads, ...sold];
  });
  return rows.length
    ? table(rows, [...(page.several ? ["run"] : []), "connected", "what", "power [kW]", "at most [kW]"])
    : element("p", "Nothing is connected here.", "note");
}

const COLUMNS = [
  ["bus", (row) => row.name],
  ["phases", (row) => row.phases],
  ["d-LMP now", (row) => row.now, 2],
  ["mean", (row) => row.mean, 2],
  ["lowest", (row) => row.low, 2],
  ["highest", (row) => row.high, 2],
  ["lowest voltage", (row) => row.vlow, 4],
  ["highest voltage", (row) => row.vhigh, 4],
];

export class BusTable {
  constructor(page) {
    Object.assign(this, { page, sort: 0, down: false, shown: SHOWN, wanted: "" });
    const about = { id: "buses", title: "All buses", unit: "$/MWh, pu", note: "" };
    Object.assign(
      this,
      card(document.getElementById("bus-table"), about, {
        csv: () => [
          COLUMNS.map(([name]) => name),
          ...this.sorted().map((row) => COLUMNS.map(([, read]) => read(row))),
        ],
      }),
    );
    this.search = element("input");
    this.search.type = "search";
    this.search.placeholder = "filter by name";
    this.search.setAttribute("aria-label", "filter buses by name");
    this.search.addEventListener("input", () => {
      this.wanted = this.search.value.trim().toLowerCase();
      this.shown = SHOWN;
      this.fill();
    });
    this.tools.prepend(this.search);
    this.body = element("div", undefined, "tall");
    this.place.append(this.body);
    listen(["t"], () => this.moveOn());
    listen(["bus"], () => this.fill());
    listen(["run"], () => this.read());
    this.read();
  }

  read() {
    const run = this.page.runs[state.run];
    const price = nodeStatistics(run.nodal.dlmp_real);
    const voltage = nodeStatistics(run.nodal.voltage);
    this.rows = run.buses
      .map((bus, k) => {
        const of = (values, pick) => pick(...bus.phases.map((_, p) => values[bus.first + p]));
        const known =
          (pick) =>
          (...values) =>
            pick(...values.filter((value) => Number.isFinite(value)));
        const mean = (...values) => values.reduce((sum, value) => sum + value, 0) / values.length;
        return {
          bus: k,
          name: bus.name,
          phases: bus.phases.map(phaseName).join(""),
          now: 0,
          mean: of(price.mean, known(mean)),
          low: of(price.low, known(Math.min)),
          high: of(price.high, known(Math.max)),
          vlow: of(voltage.low, known(Math.min)),
          vhigh: of(voltage.high, known(Math.max)),
        };
      })
      .sort((a, b) => naturally(a.name, b.name));
    this.caption.textContent = `${this.page.several ? `${run.name}: ` : ""}d-LMP at the chosen time and over the run, and the range of voltages; a press on a heading sorts.`;
    this.moveOn();
  }

  moveOn() {
    const run = this.page.runs[state.run];
    const t = Math.min(state.t, run.size - 1);
    for (const row of this.rows) row.now = atBus(run, "dlmp_real", run.buses[row.bus], "mean", t);
    this.fill();
  }

  sorted() {
    const [, read, digits] = COLUMNS[this.sort];
    const compare =
      digits === undefined ? (a, b) => naturally(read(a), read(b)) : (a, b) => read(a) - read(b);
    const found = this.rows.filter((row) => row.name.toLowerCase().includes(this.wanted));
    if (this.sort) found.sort(compare);
    return this.down ? found.reverse() : found;
  }

  fill() {
    const found = this.sorted();
    const made = element("table");
    const head = element("thead");
    head.append(
      rowOf(
        COLUMNS.map(([name], k) => this.headCell(name, k)),
        "th",
      ),
    );
    const body = element("tbody");
    for (const row of found.slice(0, this.shown)) body.append(this.rowFor(row));
    made.append(head, body);
    const scroll = this.body.scrollTop;
    this.body.replaceChildren(made);
    if (found.length > this.shown) this.body.append(this.moreButton(found.length - this.shown));
    this.body.scrollTop = scroll;
  }

  headCell(name, k) {
    const cell = element("th");
    const press = element("button", name + (k === this.sort ? (this.down ? " ▾" : " ▴") : ""), "plain");
    press.type = "button";
    press.addEventListener("click", () => {
      this.down = k === this.sort ? !this.down : false;
      this.sort = k;
      this.fill();
    });
    cell.append(press);
    return cell;
  }

  rowFor(row) {
    const made = rowOf(
      COLUMNS.map(([, read, digits]) => (digits === undefined ? read(row) : number(read(row), digits))),
      "td",
    );
    made.className = row.bus === state.bus ? "chosen" : "";
    made.tabIndex = 0;
    const press = () => choose({ bus: row.bus });
    made.addEventListener("click", press);
    made.addEventListener("keydown", (event) => {
      if (event.key === "Enter") press();
    });
    return made;
  }

  moreButton(count) {
    const more = element("button", `${count} more`);
    more.type = "button";
    more.addEventListener("click", () => {
      this.shown += 200;
      this.fill();
    });
    return more;
  }
}

// Mean, lowest and highest value of every column of a table over the run.
function nodeStatistics(values) {
  const made = { mean: [], low: [], high: [] };
  for (let c = 0; c < values.columns; c += 1) {
    const column = values.column(c).filter((value) => !Number.isNaN(value));
    made.mean.push(column.reduce((sum, value) => sum + value, 0) / column.length);
    made.low.push(column.reduce((a, b) => Math.min(a, b), Infinity));
    made.high.push(column.reduce((a, b) => Math.max(a, b), -Infinity));
  }
  return made;
}

// Lowest and highest of all nodes and branches in every interval, which several charts show.
export function measure(run) {
  const { series } = run;
  run.ends = {
    dlmp_real: extremes(run.nodal.dlmp_real),
    loading: extremes(run.branch.loading, 100),
    voltage: [series.voltage_low, series.voltage_high],
    predicted: [series.predicted_low, series.predicted_high],
  };
}
