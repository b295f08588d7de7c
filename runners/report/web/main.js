// The page: reads the runs, makes every part, and says when it is ready or why it cannot be shown.

import { BusTable, measure, showChosenBus } from "./buses.js";
import { theme } from "./colours.js";
import { makeControls, matches } from "./controls.js";
import { csvText, element, fitCanvas } from "./dom.js";
import { momentsBetween, number, tick } from "./format.js";
import { BY_BRANCH, BY_NODE, HEATS, HeatMap } from "./heat.js";
import { partsChart, timeCharts } from "./lines.js";
import { FeederMap, MAPS } from "./map.js";
import { moneyCharts } from "./money.js";
import { listen, state } from "./state.js";
import { showDetails, showOpening } from "./summary.js";
import { SYMBOLS, drawSymbol, sitesOf } from "./symbols.js";
import { MADE_CHARTS } from "./timechart.js";
import { loadRuns } from "./unpack.js";
import { brokenBuses } from "./values.js";

function prepare(page) {
  page.several = page.runs.length > 1;
  page.longest = page.runs.reduce((a, b) => (a.size >= b.size ? a : b));
  const titles = new Set(page.runs.map((run) => run.title));
  for (const run of page.runs) {
    run.name = page.several && titles.size === page.runs.length ? run.title : run.label;
    measure(run);
  }
}

// A page opens at the dearest interval, at the bus with the worst voltage or else the widest spread of prices.
function firstChoice(page) {
  const [run] = page.runs;
  state.t = run.series.lmp.indexOf(run.series.lmp.reduce((a, b) => Math.max(a, b)));
  const worst = run.broken.find((row) => row.kind !== "rating");
  const named = worst && run.busByName.get(worst.where.replace(/\.[\d-]+$/, ""));
  state.bus = named ?? widest(run);
  // Where a run has one price for all, such as a tariff, voltages tell more.
  const flat = (one) => one.ends.dlmp_real[0].every((low, t) => one.ends.dlmp_real[1][t] - low < 0.01);
  if (page.runs.some(flat)) state.quantity = "voltage";
}

function widest(run) {
  const [low, high] = run.ends.dlmp_real;
  const t = low.reduce((best, value, k) => (high[k] - value > high[best] - low[best] ? k : best), 0);
  state.t = t;
  const apart = (k) => Math.abs(run.nodal.dlmp_real.at(k, t) - run.series.lmp[t]);
  return run.nodes[run.nodes.reduce((best, _, k) => (apart(k) > apart(best) ? k : best), 0)].bus;
}

function showTitle(page) {
  const [run] = page.runs;
  document.getElementById("title").textContent = page.several
    ? `${page.runs.length} runs on ${run.feeder}`
    : run.label;
  const nodes = run.nodes.length.toLocaleString("en-US");
  const what = `${run.feeder}, ${nodes} nodes · ${page.longest.times[0].replace("T", " ").slice(0, 16)} to ${page.longest.until.replace("T", " ").slice(0, 16)} local time, ${page.longest.size} intervals of ${run.period} s`;
  document.getElementById("subtitle").textContent = page.several ? what : `${what} · ${run.method}`;
}

function showLegend(page) {
  const list = document.getElementById("symbols");
  const there = new Set(page.runs.flatMap((run) => sitesOf(run).map(([name]) => name)));
  there.add("chosen");
  if (
    page.runs.some((run) => run.breaches.voltage_low.some(Boolean) || run.breaches.voltage_high.some(Boolean))
  )
    there.add("broken");
  const fill = () =>
    list.replaceChildren(
      ...SYMBOLS.filter(([name]) => there.has(name)).map(([name, text]) => {
        const item = element("li");
        const canvas = element("canvas");
        drawSymbol(fitCanvas(canvas, 26, 26), name, 13, 13, theme(), 0.9);
        item.append(canvas, element("span", text));
        return item;
      }),
    );
  fill();
  listen(["theme"], fill);
}

function showMaps(page) {
  const maps = document.getElementById("maps");
  maps.classList.toggle("single", !page.several);
  for (const run of page.runs) new FeederMap(maps, page, run);
  showLegend(page);
  showChosenBus(page);
  partsChart(document.getElementById("details"), page);
}

function showHeat(page) {
  const place = document.getElementById("heat");
  for (const source of [BY_NODE, BY_BRANCH])
    for (const run of page.runs) new HeatMap(place, page, run, source);
}

async function start() {
  const page = await loadRuns();
  prepare(page);
  firstChoice(page);
  document.getElementById("main").hidden = false;
  document.getElementById("notice").hidden = true;
  showTitle(page);
  showOpening(page);
  showMaps(page);
  timeCharts(page);
  showHeat(page);
  new BusTable(page);
  moneyCharts(page);
  showDetails(page);
  makeControls(page);
  // For the console, and for tests.
  globalThis.report = {
    page,
    state,
    maps: MAPS,
    charts: MADE_CHARTS,
    heat: HEATS,
    brokenBuses,
    csvText,
    matches,
    momentsBetween,
    number,
    tick,
  };
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  const notice = document.getElementById("notice");
  notice.hidden = false;
  notice.textContent = `This page could not be shown: ${error.message}`;
  throw error;
});
