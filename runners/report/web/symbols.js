// Symbols of the map, drawn the same on the map and in its legend.

export const SYMBOLS = [
  ["substation", "substation"],
  ["generator", "generator"],
  ["storage", "storage"],
  ["regulator", "voltage regulator"],
  ["capacitor", "capacitor"],
  ["broken", "voltage beyond its limit"],
  ["chosen", "chosen bus"],
];

export const BROKEN = "#cc1177";

const SHAPES = {
  substation: (c, x, y) => c.rect(x - 8, y - 8, 16, 16),
  generator: (c, x, y) =>
    polygon(c, [
      [x, y - 9],
      [x + 9, y],
      [x, y + 9],
      [x - 9, y],
    ]),
  storage: (c, x, y) => {
    c.rect(x - 9, y - 6, 18, 12);
    c.rect(x + 9, y - 2, 2, 4);
  },
  regulator: (c, x, y) => {
    polygon(c, [
      [x - 7, y + 8],
      [x + 7, y + 8],
      [x, y - 9],
    ]);
  },
  capacitor: (c, x, y) => {
    for (const dx of [-3, 3]) {
      c.moveTo(x + dx, y - 9);
      c.lineTo(x + dx, y + 9);
    }
  },
  broken: (c, x, y) => c.arc(x, y, 7, 0, 2 * Math.PI),
  chosen: (c, x, y) => c.arc(x, y, 11, 0, 2 * Math.PI),
};

function polygon(context, corners) {
  corners.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
}

export function drawSymbol(context, name, x, y, colours, scale = 1) {
  context.save();
  context.translate(x, y);
  context.scale(scale, scale);
  context.beginPath();
  SHAPES[name](context, 0, 0);
  context.strokeStyle = colours.card;
  context.lineWidth = 4.5;
  context.stroke();
  context.strokeStyle = name === "broken" ? BROKEN : colours.ink;
  context.lineWidth = name === "chosen" || name === "broken" ? 2.6 : 1.7;
  context.stroke();
  context.restore();
}

// Symbols that a run has, by the buses where they stand.
export function sitesOf(run) {
  const of = (kind) => run.resources.filter((item) => item.kind === kind).map((item) => item.bus);
  return [
    ...[...new Set(of("generator"))].map((bus) => ["generator", bus]),
    ...[...new Set(of("storage"))].map((bus) => ["storage", bus]),
    ...[...new Set(run.regulators.map((item) => item.bus).filter((bus) => bus !== null))].map((bus) => [
      "regulator",
      bus,
    ]),
    ...[...new Set(run.shunts)].map((bus) => ["capacitor", bus]),
    ["substation", run.substation],
  ];
}
