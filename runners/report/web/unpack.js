// Reading what the page carries: a compressed text with a JSON header and binary columns.

const NOTHING = 65535;

// A table of 16-bit codes in equal steps; one column per node, branch, load or resource, one row per interval.
export class Table {
  constructor(codes, entry) {
    Object.assign(this, {
      codes,
      rows: entry.rows,
      columns: entry.columns,
      low: entry.low,
      step: entry.step,
    });
  }

  at(column, row) {
    const code = this.codes[column * this.rows + row];
    return code === NOTHING ? NaN : this.low + code * this.step;
  }

  // Whether a column has any number at all: neutrals have no limited voltage, some branches no rating.
  isKnown(c) {
    for (let t = 0; t < this.rows; t += 1) if (this.codes[c * this.rows + t] !== NOTHING) return true;
    return false;
  }

  // Add a column, times a factor, to sums of its length or less.
  addTo(c, sums, factor) {
    const end = Math.min(this.rows, sums.length);
    const [start, low, step] = [c * this.rows, factor * this.low, factor * this.step];
    for (let t = 0; t < end; t += 1) {
      const code = this.codes[start + t];
      sums[t] += code === NOTHING ? NaN : low + code * step;
    }
  }

  column(c) {
    const values = new Float64Array(this.rows);
    for (let t = 0; t < this.rows; t += 1) values[t] = this.at(c, t);
    return values;
  }
}

// Codes come as differences along time and from the column before; all low bytes stand before all high ones.
export function readTable(bytes, start, entry) {
  const { rows, columns, at } = entry;
  const count = rows * columns;
  const codes = new Uint16Array(count);
  const along = new Uint16Array(rows);
  for (let c = 0; c < columns; c += 1) {
    let code = 0;
    for (let t = 0; t < rows; t += 1) {
      const k = c * rows + t;
      along[t] += bytes[start + at + k] + 256 * bytes[start + at + count + k];
      code = (code + along[t]) & 0xffff;
      codes[k] = code;
    }
  }
  return new Table(codes, entry);
}

async function unzip(id) {
  const place = document.getElementById(id);
  const bytes = Uint8Array.from(atob(place.textContent), (c) => c.charCodeAt(0));
  place.remove();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function loadRuns() {
  const bytes = await unzip("data");
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  for (const run of header.runs) readRun(run, bytes, 4 + length);
  return header;
}

function readRun(run, bytes, start) {
  const table = (entry) => readTable(bytes, start, entry);
  const tables = (group) =>
    Object.fromEntries(Object.entries(group).map(([name, entry]) => [name, table(entry)]));
  run.nodal = tables(run.nodal);
  run.branch = tables(run.branch);
  for (const name of ["dispatch", "served", "taps", "capacitors"]) run[name] = table(run[name]);
  for (const name of ["series", "stored", "breaches"]) {
    const columns = Object.entries(tables(run[name]));
    run[name] = Object.fromEntries(columns.map(([key, one]) => [key, one.column(0)]));
  }
  run.size = run.times.length;
  indexNodes(run);
}

// Nodes are listed bus by bus: remember where those of each bus begin, and which bus each belongs to.
function indexNodes(run) {
  run.nodes = [];
  run.busByName = new Map();
  run.buses.forEach((bus, k) => {
    bus.first = run.nodes.length;
    run.busByName.set(bus.name, k);
    for (const phase of bus.phases) run.nodes.push({ bus: k, phase, name: `${bus.name}.${phase}` });
  });
}

// Value at a bus: of one phase, or the mean of all that have one; NaN where there is none.
export function atBus(run, quantity, bus, phase, t) {
  const table = run.nodal[quantity];
  if (phase !== "mean") {
    const k = bus.phases.indexOf(Number(phase));
    return k < 0 ? NaN : table.at(bus.first + k, t);
  }
  let [sum, count] = [0, 0];
  for (let k = 0; k < bus.phases.length; k += 1) {
    const value = table.at(bus.first + k, t);
    if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
  }
  return count ? sum / count : NaN;
}
