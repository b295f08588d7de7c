// What is chosen, and who wants to know: changes are gathered and told once a frame.

export const state = {
  t: 0,
  bus: 0,
  quantity: "dlmp_real",
  phase: "mean",
  scale: "interval",
  compare: "values",
  baseline: 0,
  order: "feeder",
  window: null,
  theme: "",
  run: 0,
};

const listeners = [];
let changed = new Set();

export function listen(keys, tell) {
  listeners.push({ keys, tell });
}

export function choose(patch) {
  const before = changed.size;
  for (const [key, value] of Object.entries(patch)) {
    if (state[key] !== value) {
      state[key] = value;
      changed.add(key);
    }
  }
  if (!before && changed.size) requestAnimationFrame(flush);
}

export function flush() {
  if (!changed.size) return;
  const keys = changed;
  changed = new Set();
  for (const { keys: wanted, tell } of listeners) if (wanted.some((key) => keys.has(key))) tell(keys);
}
