"use strict";
// The page: panels, controls, the verdict and the details of a bus.

const chosen = { t: 0, bus: "", quantity: "dlmp_real", phase: "mean", ranges: {} };
const page = { runs: [], differences: [], panels: [], money: [], timer: null };
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false };
const FOLLOWS_TIME = ["schedule", "heat_real", "heat_reactive", "parts", "voltage", "convergence"];

function element(tag, text, className) {
  const item = document.createElement(tag);
  if (text !== undefined) item.textContent = text;
  if (className) item.className = className;
  return item;
}

function addPanel(parent, heading) {
  const panel = element("div", undefined, "panel");
  if (heading) panel.append(element("h3", heading));
  const chart = element("div", undefined, "chart");
  panel.append(chart);
  parent.append(panel);
  return chart;
}

function makePanels() {
  const several = page.runs.length > 1;
  document.getElementById("feeder").className = several ? "" : "single";
  for (const grid of document.querySelectorAll("[data-chart]")) {
    for (const run of page.runs) {
      const chart = addPanel(grid, several ? runName(run, page.runs) : "");
      page.panels.push({ name: grid.dataset.chart, run, chart });
    }
  }
  for (const [title, build] of moneyCharts(page.runs)) {
    page.money.push({ build, chart: addPanel(document.getElementById("money"), title) });
  }
}

function draw(panel) {
  const { traces, layout } = CHARTS[panel.name](panel.run, chosen, theme());
  return Plotly.react(panel.chart, traces, layout, CONFIG);
}

async function drawAll() {
  const colours = theme();
  for (const panel of page.panels) await draw(panel);
  for (const item of page.money) {
    const { traces, layout } = item.build(colours);
    await Plotly.react(item.chart, traces, layout, CONFIG);
  }
}

function showTime() {
  const longest = page.runs.reduce((a, b) => (a.times.length >= b.times.length ? a : b));
  document.getElementById("clock").textContent = longest.times[chosen.t].replace("T", " ").slice(0, 16);
  document.getElementById("time").value = chosen.t;
}

function setTime(t) {
  chosen.t = t;
  showTime();
  const colours = theme();
  for (const panel of page.panels) {
    if (panel.name === "map") moveMap(panel);
    else if (FOLLOWS_TIME.includes(panel.name)) Plotly.relayout(panel.chart, { shapes: cursor(panel.run, chosen, colours) });
  }
  showDetails();
}

function moveMap(panel) {
  const { traces } = mapChart(panel.run, chosen, theme());
  Plotly.restyle(panel.chart, { "marker.color": [traces[1].marker.color], text: [traces[1].text] }, [1]);
}

function setBus(name) {
  chosen.bus = name;
  document.getElementById("bus").value = name;
  for (const panel of page.panels) if (panel.name === "map" || panel.name === "parts") draw(panel);
  showDetails();
}

function table(rows, head) {
  const box = element("div", undefined, "scroll");
  const made = element("table");
  if (head) made.append(rowOf(head, "th"));
  for (const row of rows) made.append(rowOf(row, "td"));
  box.append(made);
  return box;
}

function rowOf(cells, tag) {
  const row = element("tr");
  for (const cell of cells) row.append(cell instanceof Node ? cell : element(tag, cell));
  return row;
}

function showDetails() {
  const place = document.getElementById("details");
  place.replaceChildren();
  for (const run of page.runs) {
    const panel = element("div", undefined, "panel");
    const t = Math.min(chosen.t, run.times.length - 1);
    const bus = run.buses.find((item) => item.name === chosen.bus);
    const when = run.times[t].slice(11, 16);
    panel.append(element("h3", `bus ${bus.name} at ${when}${page.runs.length > 1 ? `, ${runName(run, page.runs)}` : ""}`));
    panel.append(nodeTable(run, bus, t), ...deviceTable(run, run.buses.indexOf(bus), t));
    place.append(panel);
  }
}

function nodeTable(run, bus, t) {
  const head = ["phase", "voltage [pu]", "predicted", "d-LMP [$/MWh]", "of it losses", "voltage", "ratings", "reactive [$/ (MVAR h)]"];
  const rows = bus.phases.map((phase) => {
    const at = (quantity, digits) => number(run.nodal[quantity][bus.node[phase]][t], digits);
    return [
      PHASES[phase], at("voltage", 4), at("predicted_voltage", 4), at("dlmp_real", 2), at("loss", 2),
      at("voltage_part", 2), at("congestion", 2), at("dlmp_reactive", 2),
    ];
  });
  return table(rows, head);
}

function deviceTable(run, bus, t) {
  const rows = [];
  run.loads.forEach((item, k) => {
    if (item.bus === bus) rows.push([item.name, "load", number(run.served[k][t], 1), ""]);
  });
  run.resources.forEach((item, k) => {
    if (item.bus === bus) rows.push([item.name, item.kind.replace("_", " "), number(run.dispatch[k][t], 1), number(item.kw_max, 1)]);
  });
  return rows.length ? [table(rows, ["connected", "what", "power [kW]", "at most [kW]"])] : [];
}

function showVerdict() {
  for (const run of page.runs) {
    const v = run.verdict;
    const panel = element("div", undefined, "panel");
    panel.append(element("h3", page.runs.length > 1 ? `${runName(run, page.runs)} (${run.file})` : `${run.feeder}: ${run.method}`));
    const status = element("td", v.status, `status ${v.status}`);
    if (run.missing) panel.append(element("p", run.missing, "missing"));
    panel.append(table([
      ["judged by AC", status],
      ["market and physics agreed", `${v.settled} of ${v.intervals} intervals`],
      ["largest voltage error", `${v.voltage_error_max_pu === null ? "n/a" : v.voltage_error_max_pu.toExponential(1)} pu`],
      ["largest head power error", `${number(v.head_error_max_kw, 4)} kW`],
      ["limits broken", `${v.violations}, without a price ${v.violations_unpriced}`],
      ["worst", worstText(run)],
      ["ledger out of balance by", `${run.account.imbalance_usd.toExponential(1)} $`],
    ]));
    document.getElementById("verdict").append(panel);
  }
}

function worstText(run) {
  if (!run.broken.length) return "none";
  const row = run.broken[0];
  const unit = row.kind === "rating" ? "A" : "pu";
  return `${row.kind.replace("_", " ")} at ${row.where}: ${number(row.value, 4)} ${unit}, limit ${number(row.limit, 2)} ${unit}`;
}

function showDifferences() {
  if (!page.differences.length) return;
  const place = document.getElementById("differences");
  place.append(element("h3", "Settings in which the runs differ"));
  place.append(table(page.differences.map(([key, values]) => [key, ...values]), ["", ...page.runs.map((run) => runName(run, page.runs))]));
}

function fill(id, options, value) {
  const select = document.getElementById(id);
  for (const [key, text] of options) {
    const option = element("option", text);
    option.value = key;
    select.append(option);
  }
  select.value = value;
  return select;
}

function makeControls() {
  const slider = document.getElementById("time");
  slider.max = Math.max(...page.runs.map((run) => run.times.length)) - 1;
  slider.addEventListener("input", () => setTime(Number(slider.value)));
  document.getElementById("play").addEventListener("click", play);
  fill("bus", page.runs[0].buses.map((bus) => [bus.name, bus.name]), chosen.bus).addEventListener("change", (e) => setBus(e.target.value));
  const redraw = (key) => (event) => {
    chosen[key] = event.target.value;
    for (const panel of page.panels) if (panel.name === "map" || panel.name === "parts") draw(panel);
  };
  fill("quantity", Object.entries(QUANTITIES).map(([key, q]) => [key, q.title]), chosen.quantity).addEventListener("change", redraw("quantity"));
  const phases = [["mean", "mean"], ...Object.entries(PHASES)];
  fill("phase", phases, chosen.phase).addEventListener("change", redraw("phase"));
  document.getElementById("theme").addEventListener("click", () => switchTheme());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

function listen() {
  for (const panel of page.panels) {
    if (panel.name === "map") {
      panel.chart.on("plotly_click", (e) => { if (e.points[0].customdata !== undefined) setBus(panel.run.buses[e.points[0].customdata].name); });
    } else if (panel.name.startsWith("heat")) {
      panel.chart.on("plotly_click", (e) => pick(panel.run, e.points[0].pointIndex));
    }
  }
}

function pick(run, [node, t]) {
  setBus(run.nodes[node].replace(/\.\d+$/, ""));
  setTime(t);
}

function play() {
  const button = document.getElementById("play");
  if (page.timer) {
    clearInterval(page.timer);
    page.timer = null;
  } else {
    const last = Number(document.getElementById("time").max);
    page.timer = setInterval(() => setTime(chosen.t < last ? chosen.t + 1 : 0), 150);
  }
  button.textContent = page.timer ? "pause" : "play";
}

function isDark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme(name) {
  document.documentElement.dataset.theme = name || (isDark() ? "light" : "dark");
  return drawAll();
}

// Paper is white and has no mouse: print in light colours and at the paper's width.
function preparePrint() {
  let before;
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    switchTheme("light");
    for (const item of [...page.panels, ...page.money]) Plotly.relayout(item.chart, { width: 700 });
  });
  addEventListener("afterprint", () => {
    if (before) document.documentElement.dataset.theme = before;
    else delete document.documentElement.dataset.theme;
    for (const item of [...page.panels, ...page.money]) Plotly.relayout(item.chart, { width: null, autosize: true });
    drawAll();
  });
}

function firstChoice() {
  const run = page.runs[0];
  const lmp = Array.from(run.series.lmp);
  chosen.t = lmp.indexOf(Math.max(...lmp));
  const worst = run.broken.find((row) => row.kind !== "rating");
  const site = run.resources.find((item) => item.kind === "generator");
  chosen.bus = worst ? worst.where.replace(/\.\d+$/, "") : run.buses[site ? site.bus : run.buses.length - 1].name;
  for (const quantity of Object.keys(QUANTITIES)) chosen.ranges[quantity] = colourRange(page.runs, quantity);
}

async function start() {
  await loadLibrary();
  Object.assign(page, await loadRuns());
  document.getElementById("title").textContent = page.runs.length > 1 ? `${page.runs.length} runs of ${page.runs[0].feeder}` : page.runs[0].label;
  firstChoice();
  document.getElementById("main").hidden = false;
  document.getElementById("notice").hidden = true;
  makePanels();
  showVerdict();
  showDifferences();
  makeControls();
  showTime();
  showDetails();
  await drawAll();
  listen();
  preparePrint();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  const notice = document.getElementById("notice");
  notice.hidden = false;
  notice.textContent = `This page could not be shown: ${error.message}`;
  throw error;
});
