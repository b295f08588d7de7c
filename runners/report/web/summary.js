// The opening: the verdict in words, the figures that matter, and runs beside each other with their differences.

import { element, card, options, table } from "./dom.js";
import { number, scientific, signed } from "./format.js";
import { choose, listen, state } from "./state.js";

export function showOpening(page) {
  const place = document.getElementById("opening");
  for (const run of page.runs) {
    const line = element("p", undefined, `verdict ${run.verdict.status}`);
    line.append(element("b", page.several ? `${run.name}. ` : ""), element("span", run.sentence));
    place.append(line);
    if (run.missing) place.append(element("p", run.missing, "missing"));
  }
  if (page.several) showComparison(page);
  else place.append(tiles(page.runs[0]));
}

function tiles(run) {
  const list = element("dl", undefined, "tiles");
  for (const { title, unit, digits, value, note } of run.headline) {
    const tile = element("div");
    const shown = element("dd", number(value, digits), "figure");
    shown.append(" ", element("span", unit, "unit"));
    tile.append(element("dt", title), shown, element("dd", note, "note"));
    list.append(tile);
  }
  return list;
}

// Runs as columns; differences to the one that is chosen as baseline.
function showComparison(page) {
  const { place, tools } = card(
    document.getElementById("opening"),
    {
      id: "comparison",
      title: "Runs beside each other",
      note: "Small figures: the difference to the baseline.",
    },
    {
      csv: () => [
        ["", "unit", ...page.runs.map((run) => run.name)],
        ...page.runs[0].figures.map(({ title, unit }, k) => [
          title,
          unit,
          ...page.runs.map((run) => run.figures[k].value),
        ]),
      ],
    },
  );
  const select = options(
    element("select"),
    page.runs.map((run, k) => [String(k), `baseline: ${run.name}`]),
    "0",
  );
  select.setAttribute("aria-label", "baseline of differences");
  select.addEventListener("change", () => choose({ baseline: Number(select.value) }));
  tools.prepend(select);
  const body = element("div");
  place.append(body);
  const fill = () => body.replaceChildren(comparisonTable(page));
  fill();
  listen(["baseline"], fill);
}

function comparisonTable(page) {
  const base = page.runs[state.baseline];
  const rows = base.figures.map((figure, k) => [
    headCell(figure),
    ...page.runs.map((run) => {
      const { value, digits } = run.figures[k];
      const cell = element("td", number(value, digits));
      if (run !== base && value !== null && figure.value !== null)
        cell.append(element("small", signed(value - figure.value, digits)));
      return cell;
    }),
  ]);
  const made = table(rows, ["", ...page.runs.map((run) => run.name)]);
  made.classList.add("comparison");
  return made;
}

function headCell({ title, unit }) {
  const cell = element("th", title);
  cell.scope = "row";
  if (unit) cell.append(" ", element("span", unit, "unit"));
  return cell;
}

export function showDetails(page) {
  const place = document.getElementById("audit");
  const made = card(place, {
    id: "verdict",
    title: "How physics judges the market",
    note: "Prediction of the final clearing against AC power flow, before controls acted.",
  });
  const of = (read) => page.runs.map(read);
  const rows = [
    ["judged by AC", ...of(({ verdict: v }) => element("td", v.status, `status ${v.status}`))],
    ["cleared by", ...of((run) => run.method)],
    ["market and physics agreed", ...of(({ verdict: v }) => `${v.settled} of ${v.intervals} intervals`)],
    ["clearings of an interval, at most", ...of(({ verdict: v }) => String(v.rounds_max))],
    ["largest voltage error", ...of(({ verdict: v }) => `${scientific(v.voltage_error_max_pu)} pu`)],
    ["largest head power error", ...of(({ verdict: v }) => `${number(v.head_error_max_kw, 3)} kW`)],
    [
      "limits broken, and of these without a price",
      ...of(({ verdict: v }) => `${number(v.violations, 0)}, ${number(v.violations_unpriced, 0)}`),
    ],
    ["ledger out of balance by", ...of((run) => `${scientific(run.account.imbalance_usd)} $`)],
    ["results file", ...of((run) => run.file)],
  ];
  made.place.append(table(rows, page.several ? ["", ...of((run) => run.name)] : undefined));
  showMetrics(place, page);
  showBroken(place, page);
  showSettings(place, page);
}

// One line for each metric that any run has; a run without it has nothing there.
function showMetrics(place, page) {
  const titles = [...new Set(page.runs.flatMap((run) => run.metrics.map(({ title }) => title)))];
  if (!titles.length) return;
  const find = (run, title) => run.metrics.find((metric) => metric.title === title);
  const unitOf = (title) => page.runs.map((run) => find(run, title)).find(Boolean).unit;
  const made = card(
    place,
    {
      id: "metrics",
      title: "How the operator performed",
      note: "Metrics of the whole run, from AC quantities.",
    },
    {
      csv: () => [
        ["", "unit", ...page.runs.map((run) => run.name)],
        ...titles.map((title) => [title, unitOf(title), ...page.runs.map((run) => find(run, title)?.value)]),
      ],
    },
  );
  const rows = titles.map((title) => [
    headCell({ title, unit: unitOf(title) }),
    ...page.runs.map((run) => {
      const metric = find(run, title);
      return metric ? number(metric.value, metric.digits) : "";
    }),
    ...(page.several ? [] : [find(page.runs[0], title).note]),
  ]);
  const box = table(rows, page.several ? ["", ...page.runs.map((run) => run.name)] : undefined);
  box.classList.add("tall");
  made.place.append(box);
}

function showBroken(place, page) {
  const rows = page.runs.flatMap((run) =>
    run.broken.map((row) => {
      const [unit, digits] = row.kind === "rating" ? ["A", 1] : ["pu", 4];
      return [
        ...(page.several ? [run.name] : []),
        row.kind.replace("_", " "),
        row.where,
        `${number(row.value, digits)} ${unit}`,
        `${number(row.limit, digits)} ${unit}`,
        number(row.intervals, 0),
        number(row.unpriced, 0),
      ];
    }),
  );
  if (!rows.length) return;
  const head = [
    ...(page.several ? ["run"] : []),
    "limit",
    "where",
    "worst",
    "limit value",
    "intervals",
    "without a price",
  ];
  const made = card(
    place,
    {
      id: "broken",
      title: "Limits broken, the worst first",
      note: `At most ${number(100, 0)} places of each run.`,
    },
    { csv: () => [head, ...rows] },
  );
  const box = table(rows, head);
  box.classList.add("tall");
  made.place.append(box);
}

function showSettings(place, page) {
  if (!page.differences.length) return;
  const made = card(place, {
    id: "settings",
    title: "Settings in which the runs differ",
    note: "Keys of the scenario.",
  });
  const box = table(
    page.differences.map(([key, values]) => [key, ...values]),
    ["", ...page.runs.map((run) => run.name)],
  );
  box.classList.add("tall");
  made.place.append(box);
}
