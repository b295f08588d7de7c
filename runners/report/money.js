"use strict";
// Bars of money and energy: one run, or all of them side by side.

const RUN_COLOURS = ["#4477aa", "#ee7733", "#228833", "#aa3377", "#66ccee", "#999999", "#cc3311"];

const SIDES = [
  ["load revenue", (a) => a.load_usd], ["paid to generators", (a) => -a.dg_usd],
  ["paid for curtailment", (a) => -a.flex_usd], ["wholesale purchase", (a) => -a.wholesale_usd],
  ["net revenue of the operator", (a) => a.net_revenue_usd],
];

const PARTS = [
  ["losses, collected", "loss_collected"], ["losses, bought", "loss_cost"], ["voltage limits", "voltage"],
  ["line ratings", "congestion"], ["reactive energy", "reactive"], ["curtailment paid", "curtailment"],
];

const USES = [
  ["wholesale", "wholesale", COLOUR.wholesale], ["generators on the feeder", "dg", COLOUR.generation],
  ["curtailed demand", "flex", COLOUR.curtailed],
];

function moneyCharts(runs) {
  const charts = [["Operator's revenue and costs", moneyBars(runs, SIDES.map(([n]) => n), (run) => SIDES.map(([, f]) => f(run.account)))]];
  const split = runs.filter((run) => run.account.net_revenue_parts_usd);
  if (split.length) {
    const read = (run) => PARTS.map(([, key]) => run.account.net_revenue_parts_usd[key]);
    charts.push(["Net revenue at nodal prices, by cause", moneyBars(split, PARTS.map(([n]) => n), read)]);
  }
  charts.push(["Where the energy comes from", energyBars(runs)]);
  return charts;
}

function runName(run, runs) {
  const titles = runs.map((item) => item.title);
  return new Set(titles).size === runs.length && runs.length > 1 ? run.title : run.label;
}

// Room for the figures beside the longest bars.
function barRange(values) {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const room = 0.14 * (high - low || 1);
  return [low < 0 ? low - room : 0, high > 0 ? high + room : 0];
}

function moneyBars(runs, names, read) {
  const range = barRange(runs.flatMap(read));
  return (colours) => ({
    traces: runs.map((run, k) => ({
      type: "bar", orientation: "h", name: runName(run, runs), y: names, x: read(run), marker: { color: RUN_COLOURS[k % RUN_COLOURS.length] },
      hovertemplate: "%{x:,.2f} $", texttemplate: runs.length === 1 ? "%{x:,.0f}" : undefined, textposition: "outside", cliponaxis: false,
    })),
    layout: layoutOf(colours, 130 + names.length * (22 + 14 * runs.length), {
      hovermode: "y unified", xaxis: axis(colours, "$ over the run", { zeroline: true, zerolinecolor: colours.muted, range }),
      yaxis: axis(colours, "", { autorange: "reversed", showgrid: false }), showlegend: runs.length > 1, margin: { l: 60, r: 50, t: 8, b: 42 },
    }),
  });
}

function energyBars(runs) {
  return (colours) => ({
    traces: USES.map(([name, key, colour]) => ({
      type: "bar", orientation: "h", name, y: runs.map((run) => runName(run, runs)), x: runs.map((run) => run.account.energy_kwh[key]),
      marker: { color: colour }, hovertemplate: "%{x:,.0f} kWh",
    })),
    layout: layoutOf(colours, 130 + 40 * runs.length, {
      barmode: "stack", hovermode: "y unified", xaxis: axis(colours, "kWh over the run"),
      yaxis: axis(colours, "", { autorange: "reversed", showgrid: false }),
    }),
  });
}
