"use strict";
// Reading what the page carries: compressed texts, binary columns, and numbers at one interval.

const NOTHING = 65535;

async function unpack(id) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function loadLibrary() {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await unpack("library"));
  document.head.append(script);
}

// One Float64Array per column of the table: one per node, load or resource.
function readColumns(buffer, start, entry) {
  const codes = new Uint16Array(buffer, start + entry.at, entry.rows * entry.columns);
  const columns = [];
  for (let c = 0; c < entry.columns; c += 1) {
    const values = new Float64Array(entry.rows);
    let code = 0;
    for (let t = 0; t < entry.rows; t += 1) {
      code = (code + codes[c * entry.rows + t]) & 0xffff;
      values[t] = code === NOTHING ? NaN : entry.low + code * entry.step;
    }
    columns.push(values);
  }
  return columns;
}

async function loadRuns() {
  const buffer = await unpack("data");
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  for (const run of header.runs) {
    for (const name of Object.keys(run.series)) {
      run.series[name] = readColumns(buffer, start, run.series[name])[0];
    }
    for (const name of Object.keys(run.nodal)) run.nodal[name] = readColumns(buffer, start, run.nodal[name]);
    run.dispatch = readColumns(buffer, start, run.dispatch);
    run.served = readColumns(buffer, start, run.served);
    indexBuses(run);
  }
  return header;
}

// Nodes are listed bus by bus: remember which belong to which bus, by phase.
function indexBuses(run) {
  let node = 0;
  for (const bus of run.buses) {
    bus.node = {};
    for (const phase of bus.phases) {
      bus.node[phase] = node;
      node += 1;
    }
  }
}

const PHASES = { 1: "A", 2: "B", 3: "C" };

// Value of a quantity at a bus: of one phase, or the mean of all; null where the phase is missing.
function atBus(run, quantity, bus, phase, t) {
  const nodes = phase === "mean" ? Object.values(bus.node) : [bus.node[phase]];
  if (nodes[0] === undefined) return null;
  const values = nodes.map((node) => run.nodal[quantity][node][t]);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Range that leaves out the outermost share at both ends, so that single spikes do not flatten the colours.
function robustRange(tables, share) {
  const values = [];
  for (const table of tables) for (const column of table) for (const v of column) if (!Number.isNaN(v)) values.push(v);
  if (!values.length) return [0, 1];
  const sorted = Float64Array.from(values).sort();
  const low = sorted[Math.floor(share * (sorted.length - 1))];
  const high = sorted[Math.ceil((1 - share) * (sorted.length - 1))];
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

function number(value, digits) {
  if (value === null || value === undefined || Number.isNaN(value)) return "n/a";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
