// Which charts over time a page has: of one run in detail, of several runs laid over each other.

import { LINE, RUN_COLOURS, RUN_DASHES, theme } from "./colours.js";
import { element, options } from "./dom.js";
import { naturally, phaseName } from "./format.js";
import { choose, state } from "./state.js";
import { TimeChart } from "./timechart.js";
import { atBus } from "./unpack.js";

const FLOOR = 1e-12;

export function timeCharts(page) {
  const place = document.getElementById("over-time");
  const make = (about) => new TimeChart(place, page, about);
  make({
    id: "price",
    title: "Price of real power",
    unit: "$/MWh",
    note: page.several
      ? "Mean d-LMP of all nodes in every run, and the LMP at the head."
      : "The LMP at the head, and d-LMPs: their mean, and the band between the lowest and the highest node.",
    build: () => prices(page),
  });
  make({
    id: "power",
    title: page.several ? "Power from wholesale" : "Where the power comes from",
    unit: "kW",
    digits: 0,
    note: page.several
      ? "Power drawn at the head in every run."
      : "Stacked: generators and storage on the feeder, demand not consumed, and wholesale; losses are part of what is served.",
    build: () => power(page),
  });
  make({
    id: "voltage",
    title: "Voltage envelope",
    unit: "pu",
    digits: 4,
    note: `Lowest and highest voltage that limits hold for, by AC power flow, ${page.several ? "in every run (figures: the highest)" : "what the market predicted"}, and the limits.`,
    build: () => voltages(page),
  });
  make({
    id: "loading",
    title: "Highest branch loading",
    unit: "% of rating",
    digits: 1,
    note: "The most loaded conductor of all branches that have a rating.",
    build: () => loadings(page),
  });
  make({
    id: "violations",
    title: "Limits that AC breaks",
    unit: "count",
    digits: 0,
    note: `Voltages and currents beyond their limits in every interval, after controls acted${
      page.runs.some((run) => run.breaches.outage) ? "; an interval without supply counts as one" : ""
    }.`,
    build: () => breaches(page),
  });
  if (page.runs[0].regulators.length) tapChart(place, page);
  if (page.runs.some((run) => run.capacitors.columns))
    make({
      id: "capacitors",
      title: "Switched capacitors",
      unit: "steps closed",
      digits: 0,
      note: "Closed steps of every capacitor under control.",
      build: () => banks(page),
    });
  if (page.runs.some((run) => Object.keys(run.stored).length))
    make({
      id: "stored",
      title: "Stored energy",
      unit: "kWh",
      digits: 1,
      note: "State of charge at the end of each interval, from the injected power and the owner's settings.",
      build: () => stored(page),
    });
  make({
    id: "convergence",
    title: "Rounds of the negotiation",
    unit: "rounds",
    digits: 0,
    note: "Messages between neighbours until prices agreed, summed over the clearings of an interval.",
    build: () => rounds(page),
  });
  make({
    id: "agreement",
    title: "Market against physics",
    unit: "pu",
    note: "Largest difference of predicted and AC voltage before controls acted; less than 1e-12 is drawn there.",
    build: () => agreement(page),
  });
}

function ofRuns(page, lines) {
  return page.runs.flatMap((run, k) =>
    lines(run).map((line) => ({
      colour: RUN_COLOURS[k % RUN_COLOURS.length],
      dash: RUN_DASHES[k % RUN_DASHES.length],
      label: run.name,
      ...line,
      name: line.name ? `${run.name}, ${line.name}` : run.name,
    })),
  );
}

// Lowest and highest of all columns of a table in every interval.
export function extremes(table, scale = 1) {
  const low = new Float64Array(table.rows).fill(NaN);
  const high = new Float64Array(table.rows).fill(NaN);
  for (let c = 0; c < table.columns; c += 1) {
    for (let t = 0; t < table.rows; t += 1) {
      const value = scale * table.at(c, t);
      if (!(value >= low[t])) low[t] = Number.isNaN(value) ? low[t] : value;
      if (!(value <= high[t])) high[t] = Number.isNaN(value) ? high[t] : value;
    }
  }
  return [low, high];
}

function prices(page) {
  const lmp = { label: "LMP", values: page.longest.series.lmp, colour: LINE.lmp, width: 1.5 };
  if (page.several)
    return {
      lines: [...ofRuns(page, (run) => [{ values: run.series.dlmp_mean }]), { ...lmp, dash: [1, 2] }],
    };
  const [run] = page.runs;
  const [under, values] = run.ends.dlmp_real;
  return {
    lines: [
      { label: "highest d-LMP", values, under, colour: "#4477aa" },
      { label: "lowest d-LMP", values: under, colour: "#4477aa", width: 0.5 },
      { label: "mean d-LMP", values: run.series.dlmp_mean, colour: "#2f5f92", width: 2 },
      lmp,
    ],
  };
}

function power(page) {
  if (page.several) return { lines: ofRuns(page, (run) => [{ values: run.series.wholesale }]) };
  const { series } = page.runs[0];
  const area = (label, values, colour) => ({ label, values, colour, kind: "area" });
  return {
    floor: 0,
    lines: [
      area("wholesale", series.wholesale, LINE.wholesale),
      area("on the feeder", series.generation, LINE.generation),
      area("curtailed", series.curtailed, LINE.curtailed),
      { label: "of it losses", values: series.losses, colour: theme().ink, width: 1.2 },
    ],
  };
}

function voltages(page) {
  const limits = page.runs[0].limits.map((value) => ({ value }));
  if (page.several)
    return {
      limits,
      ticks: 3,
      lines: ofRuns(page, (run) => [
        { values: run.ends.voltage[1], name: "highest" },
        { values: run.ends.voltage[0], name: "lowest", unnamed: true },
      ]),
    };
  const [run] = page.runs;
  const [under, values] = run.ends.voltage;
  const [low, high] = run.ends.predicted;
  const dotted = { colour: LINE.curtailed, dash: [2, 3], width: 1.5 };
  return {
    limits,
    ticks: 3,
    lines: [
      { label: "highest", values, under, colour: LINE.wholesale },
      { label: "lowest", values: under, colour: LINE.wholesale, width: 0.5 },
      { label: "highest predicted", values: high, ...dotted },
      { label: "lowest predicted", values: low, ...dotted },
    ],
  };
}

function loadings(page) {
  const limits = [{ value: 100 }];
  if (page.several)
    return { limits, floor: 0, lines: ofRuns(page, (run) => [{ values: run.ends.loading[1] }]) };
  return {
    limits,
    floor: 0,
    lines: [
      { label: "highest loading", values: page.runs[0].ends.loading[1], colour: LINE.rating, width: 2 },
    ],
  };
}

function breaches(page) {
  const total = (run) =>
    Float64Array.from({ length: run.size }, (_, t) =>
      Object.values(run.breaches).reduce((sum, row) => sum + row[t], 0),
    );
  if (page.several) return { whole: true, floor: 0, lines: ofRuns(page, (run) => [{ values: total(run) }]) };
  const { breaches: kinds } = page.runs[0];
  const area = (label, kind, colour) => ({ label, values: kinds[kind], colour, kind: "area" });
  return {
    whole: true,
    floor: 0,
    lines: [
      area("voltage too low", "voltage_low", LINE.low),
      area("voltage too high", "voltage_high", LINE.high),
      area("current above rating", "rating", LINE.rating),
      ...(kinds.outage ? [area("no supply", "outage", LINE.losses)] : []),
    ],
  };
}

// One run shows all its regulators; of several runs one regulator at a time can be told apart.
function tapChart(place, page) {
  const about = {
    id: "taps",
    title: "Regulator taps",
    unit: "position",
    digits: 0,
    note: "Position of every tap changer after it acted; 0 is the nominal ratio.",
  };
  const made = new TimeChart(place, page, { ...about, needs: ["regulator"], build: () => taps(page) });
  if (!page.several && page.runs[0].regulators.length <= RUN_COLOURS.length) return;
  const names = page.runs[0].regulators
    .map(({ name }, k) => [String(k), name])
    .sort((a, b) => naturally(a[1], b[1]));
  const select = options(
    element("select"),
    page.several ? names : [["", "all"], ...names],
    page.several ? names[0][0] : "",
  );
  select.setAttribute("aria-label", "regulator");
  select.addEventListener("change", () => choose({ regulator: select.value }));
  state.regulator = select.value;
  made.tools.prepend(select);
  made.make();
}

function taps(page) {
  const chosen = state.regulator;
  const line = (run, k, r) => ({
    label: run.regulators[k].name,
    values: run.taps.column(k),
    colour: RUN_COLOURS[r % RUN_COLOURS.length],
    dash: RUN_DASHES[Math.floor(r / RUN_COLOURS.length) % RUN_DASHES.length],
    width: 1.5,
  });
  if (page.several)
    return {
      whole: true,
      lines: ofRuns(page, (run) => [{ values: run.taps.column(Number(chosen || 0)), width: 1.5 }]),
    };
  const [run] = page.runs;
  const wanted = chosen ? [Number(chosen)] : run.regulators.map((_, k) => k);
  return { whole: true, lines: wanted.map((k, r) => line(run, k, r)) };
}

function banks(page) {
  return {
    whole: true,
    floor: 0,
    lines: page.runs.flatMap((run, r) =>
      run.banks.map(({ name }, k) => ({
        label: page.several ? `${run.name}, ${name}` : name,
        values: run.capacitors.column(k),
        colour: RUN_COLOURS[(page.several ? r : k) % RUN_COLOURS.length],
        dash: RUN_DASHES[(page.several ? k : 0) % RUN_DASHES.length],
      })),
    ),
  };
}

function stored(page) {
  return {
    floor: 0,
    lines: page.runs.flatMap((run, r) =>
      Object.entries(run.stored).map(([name, values], k) => ({
        label: page.several ? `${run.name}, ${name}` : name,
        values,
        colour: RUN_COLOURS[(page.several ? r : k) % RUN_COLOURS.length],
        dash: RUN_DASHES[(page.several ? k : 0) % RUN_DASHES.length],
      })),
    ),
  };
}

function rounds(page) {
  if (page.several)
    return { floor: 0, lines: ofRuns(page, (run) => [{ values: run.series.negotiation_rounds, width: 1 }]) };
  const { series } = page.runs[0];
  return {
    floor: 0,
    lines: [
      {
        label: "negotiation rounds",
        values: series.negotiation_rounds,
        colour: LINE.generation,
        kind: "area",
      },
      { label: "clearings", values: series.rounds, colour: LINE.lmp, width: 1.2 },
    ],
  };
}

function agreement(page) {
  const dots = (values) => values.map((value) => Math.max(value, FLOOR));
  const lines = page.several
    ? ofRuns(page, (run) => [{ values: dots(run.series.voltage_error), kind: "points" }])
    : [
        {
          label: "voltage, predicted less AC",
          values: dots(page.runs[0].series.voltage_error),
          colour: LINE.curtailed,
          kind: "points",
        },
      ];
  return { log: true, range: [FLOOR / 3, 1e-1], lines };
}

// What the price of the chosen bus is made of.
export function partsChart(place, page) {
  const about = {
    id: "parts",
    title: "What the price is made of",
    unit: "$/MWh",
    note: `d-LMP of the chosen bus: the LMP at the head, ${
      page.runs.some((run) => run.nodal.substation) ? "what the substation adds, " : ""
    }losses, voltage limits, line ratings.`,
    height: 200,
  };
  new TimeChart(place, page, { ...about, needs: ["bus", "phase", "run"], build: () => parts(page) });
}

function parts(page) {
  const run = page.runs[state.run];
  const bus = run.buses[state.bus];
  const at = (quantity) =>
    Float64Array.from({ length: run.size }, (_, t) => atBus(run, quantity, bus, state.phase, t));
  const [whole, loss, voltage, congestion] = ["dlmp_real", "loss", "voltage_part", "congestion"].map(at);
  const adder = run.nodal.substation && at("substation");
  const line = (label, values, colour, width = 1.5, dash = []) => ({ label, values, colour, width, dash });
  return {
    lines: [
      line(
        `${page.several ? `${run.name}: ` : ""}d-LMP of bus ${bus.name}${state.phase === "mean" ? "" : `, phase ${phaseName(state.phase)}`}`,
        whole,
        theme().ink,
        2.2,
      ),
      line(
        "energy",
        whole.map((value, t) => value - loss[t] - voltage[t] - congestion[t] - (adder ? adder[t] : 0)),
        LINE.lmp,
        1.5,
        [6, 3],
      ),
      ...(adder ? [line("substation", adder, LINE.generation)] : []),
      line("losses", loss, LINE.losses),
      line("voltage limits", voltage, LINE.curtailed),
      line("line ratings", congestion, LINE.high, 1.5, [2, 2]),
    ],
  };
}
