// Numbers, times and names as people read them.

const FORMATS = new Map();

export function number(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "n/a";
  if (!FORMATS.has(digits)) {
    FORMATS.set(
      digits,
      new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    );
  }
  const text = FORMATS.get(digits).format(value);
  // What rounds to nothing has no sign.
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text;
}

export function signed(value, digits) {
  const text = number(value, digits);
  return /^[\d]/.test(text) && /[1-9]/.test(text) ? `+${text}` : text;
}

export function scientific(value) {
  return value === null || value === undefined || Number.isNaN(value) ? "n/a" : value.toExponential(1);
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

// "9" before "10", "bus9" before "bus10".
export function naturally(a, b) {
  return COLLATOR.compare(a, b);
}

export const PHASES = { 1: "A", 2: "B", 3: "C" };

export function phaseName(phase) {
  return PHASES[phase] || String(phase);
}

// Local date and time of an interval: the page shows the feeder's clock, whatever the reader's is.
export function clock(run, t) {
  return run.times[Math.min(t, run.times.length - 1)].replace("T", " ").slice(0, 16);
}

// Local wall clock, in seconds, at any moment of a run: each interval knows how far it is from UTC.
export function wallSeconds(run, moment) {
  const k = Math.max(0, Math.min(run.times.length - 1, Math.floor((moment - run.start) / run.period)));
  const local = Date.parse(`${run.times[k]}Z`) / 1000;
  return local + (moment - (run.start + k * run.period));
}

const STEPS = [300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600];

// Moments at whole steps of the local clock, at most so many of them.
export function momentsBetween(run, low, high, most) {
  const step = STEPS.find((one) => (high - low) / one <= most) || STEPS[STEPS.length - 1];
  const ahead = (moment) => (step - (Math.round(wallSeconds(run, moment)) % step)) % step;
  const made = [];
  for (let moment = low + ahead(low); moment <= high + 0.5; moment += step) {
    const aligned = moment + (ahead(moment) > step / 2 ? ahead(moment) - step : ahead(moment));
    if (aligned <= high + 0.5) made.push(aligned);
  }
  return made;
}

const DAYS = new Intl.DateTimeFormat("en-US", { timeZone: "UTC", month: "short", day: "numeric" });

export function tick(run, moment) {
  const wall = new Date(Math.round(wallSeconds(run, moment)) * 1000);
  const text = wall.toISOString().slice(11, 16);
  return text === "00:00" ? `${text}\n${DAYS.format(wall)}` : text;
}
