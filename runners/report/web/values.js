// What maps and heat maps show: values of a run, or its difference to the baseline, and the range of their colours.

import { QUANTITIES, around } from "./colours.js";
import { state } from "./state.js";
import { atBus } from "./unpack.js";

const SAMPLES = 60000;
const SPREAD = new Map();

export function isDifference(page, run) {
  return state.compare === "difference" && page.runs.length > 1 && run !== page.runs[state.baseline];
}

// One value per bus at an interval; NaN where the chosen phase is missing.
export function busValues(page, run, t) {
  const key = [t, state.quantity, state.phase, state.compare, state.baseline].join();
  if (run.shown?.key !== key) run.shown = { key, values: computeValues(page, run, t) };
  return run.shown.values;
}

function computeValues(page, run, t) {
  const row = Math.min(t, run.size - 1);
  const own = (one) =>
    Float64Array.from(one.buses, (bus) => atBus(one, state.quantity, bus, state.phase, row));
  const values = own(run);
  if (!isDifference(page, run)) return values;
  const base = page.runs[state.baseline];
  if (t >= base.size || t >= run.size) return values.fill(NaN);
  const other = own(base);
  return values.map((value, k) => value - other[k]);
}

const TOLERANCE_PU = 1e-4;

// Buses at which a voltage to ground is beyond its limit by more than the audit tolerates.
export function brokenBuses(run, t) {
  const [low, high] = [run.limits[0] - TOLERANCE_PU, run.limits[1] + TOLERANCE_PU];
  const found = new Set();
  run.nodes.forEach(({ bus }, node) => {
    const value = run.nodal.voltage.at(node, t);
    if (value < low || value > high) found.add(bus);
  });
  return found;
}

export function describe(page, run) {
  const quantity = QUANTITIES[state.quantity];
  return isDifference(page, run)
    ? { ...quantity, scale: "balance", centre: 0, title: `difference of ${quantity.title}` }
    : quantity;
}

// Runs that are shown in the same way share their range, so that one colour means the same in all of them.
export function rangeOf(page, run, t) {
  const alike = page.runs.filter((one) => isDifference(page, one) === isDifference(page, run));
  const { centre } = describe(page, run);
  const ends =
    state.scale === "interval"
      ? spread(
          alike.flatMap((one) => Array.from(busValues(page, one, t))),
          0,
        )
      : wholeRange(page, alike, isDifference(page, run));
  return centre === undefined ? ends : around(ends, centre);
}

// The range of a whole run leaves out a hundredth at both ends, so that single spikes do not flatten the colours.
export function wholeRange(page, runs, apart) {
  const key = [state.quantity, apart, state.baseline].join();
  if (!SPREAD.has(key)) {
    const base = page.runs[state.baseline].nodal[state.quantity];
    const values = runs.flatMap((run) =>
      sample(run.nodal[state.quantity], apart ? base : null, SAMPLES / runs.length),
    );
    SPREAD.set(key, spread(values, state.quantity === "voltage" ? 0 : 0.01));
  }
  return SPREAD.get(key);
}

function sample(table, base, most) {
  const rows = base ? Math.min(base.rows, table.rows) : table.rows;
  const every = Math.max(1, Math.ceil((rows * table.columns) / most));
  const values = [];
  for (let k = 0; k < rows * table.columns; k += every) {
    const [c, t] = [Math.floor(k / rows), k % rows];
    values.push(table.at(c, t) - (base ? base.at(c, t) : 0));
  }
  return values;
}

export function spread(values, share) {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
  if (!sorted.length) return [0, 1];
  const low = sorted[Math.floor(share * (sorted.length - 1))];
  const high = sorted[Math.ceil((1 - share) * (sorted.length - 1))];
  return high - low > 1e-9 ? [low, high] : [low - 0.5, low + 0.5];
}
