"use strict";
// Charts as data: each builder takes a run, what is chosen and the theme, and returns traces and a layout.

const COLOUR = {
  wholesale: "#4477aa", losses: "#999999", generation: "#228833", curtailed: "#ee7733", lmp: "#aa3377",
  loss: "#999999", voltage_part: "#ee7733", congestion: "#cc3311", phases: { 1: "#4477aa", 2: "#ee7733", 3: "#228833" },
};

const QUANTITIES = {
  dlmp_real: { title: "real d-LMP", unit: "$/MWh", digits: 2, scale: "Viridis" },
  dlmp_reactive: { title: "reactive d-LMP", unit: "$/(MVAR h)", digits: 2, scale: "" },
  voltage: { title: "voltage", unit: "pu", digits: 4, scale: "Cividis" },
};

// A scale through the colour of the page: nothing stands out where the price is zero.
function scaleOf(quantity, colours) {
  return QUANTITIES[quantity].scale || [[0, "#2166ac"], [0.5, colours.paper], [1, "#d6604d"]];
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { paper: read("--paper"), ink: read("--ink"), muted: read("--muted"), line: read("--line") };
}

function axis(colours, title, extra) {
  return {
    title: { text: title, standoff: 6 }, gridcolor: colours.line, linecolor: colours.line, zeroline: false,
    tickcolor: colours.line, automargin: true, ...extra,
  };
}

function layoutOf(colours, height, extra) {
  return {
    height, margin: { l: 60, r: 12, t: 8, b: 42 }, paper_bgcolor: colours.paper, plot_bgcolor: colours.paper,
    font: { color: colours.ink, size: 12, family: "system-ui, sans-serif" }, hovermode: "x unified",
    hoverlabel: { bgcolor: colours.paper, bordercolor: colours.line, font: { color: colours.ink } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)" }, ...extra,
  };
}

function timeAxis(run, colours, extra) {
  const range = [run.times[0], run.until];
  return axis(colours, "local time", { type: "date", hoverformat: "%H:%M", range, ...extra });
}

function cursor(run, chosen, colours) {
  const when = run.times[Math.min(chosen.t, run.times.length - 1)];
  return [{
    type: "line", x0: when, x1: when, yref: "paper", y0: 0, y1: 1, line: { color: colours.ink, width: 1, dash: "dot" },
  }];
}

// The range covers every run and every interval, so that colours mean the same in all panels and at all times.
function colourRange(runs, quantity) {
  if (quantity === "voltage") {
    const all = robustRange(runs.map((run) => run.nodal.voltage).flat().map((c) => [c]), 0);
    return [Math.min(all[0], runs[0].limits[0]), Math.max(all[1], runs[0].limits[1])];
  }
  const range = robustRange(runs.map((run) => run.nodal[quantity]).flat().map((c) => [c]), 0.01);
  if (quantity !== "dlmp_reactive") return range;
  const most = Math.max(Math.abs(range[0]), Math.abs(range[1]));
  return [-most, most];
}

function mapChart(run, chosen, colours) {
  const { title, unit, digits } = QUANTITIES[chosen.quantity];
  const xs = [];
  const ys = [];
  for (const [a, b] of run.branches) {
    xs.push(run.buses[a].x, run.buses[b].x, null);
    ys.push(run.buses[a].y, run.buses[b].y, null);
  }
  const values = mapValues(run, chosen);
  const there = run.buses.map((_, k) => k).filter((k) => values[k] !== null);
  const [low, high] = chosen.ranges[chosen.quantity];
  const traces = [
    { type: "scatter", mode: "lines", x: xs, y: ys, line: { color: colours.muted, width: 1 }, hoverinfo: "skip" },
    {
      type: "scatter", mode: "markers", x: there.map((k) => run.buses[k].x), y: there.map((k) => run.buses[k].y),
      customdata: there, text: there.map((k) => `bus ${run.buses[k].name}: ${number(values[k], digits)} ${unit}`),
      hovertemplate: "%{text}<extra></extra>",
      marker: {
        size: 9, color: there.map((k) => values[k]), colorscale: scaleOf(chosen.quantity, colours), cmin: low, cmax: high,
        line: { width: 0.5, color: colours.muted },
        colorbar: { title: { text: `${title} [${unit}]`, side: "right" }, thickness: 12, outlinewidth: 0 },
      },
    },
    ...siteTraces(run, chosen, colours),
  ];
  return { traces, layout: mapLayout(colours) };
}

function mapValues(run, chosen) {
  const t = Math.min(chosen.t, run.times.length - 1);
  return run.buses.map((bus) => atBus(run, chosen.quantity, bus, chosen.phase, t));
}

// Rings around generators, a square at the substation, and a larger ring at the chosen bus.
function siteTraces(run, chosen, colours) {
  const ring = (name, buses, symbol, size, width) => ({
    type: "scatter", mode: "markers", name, hoverinfo: "skip", x: buses.map((bus) => bus.x), y: buses.map((bus) => bus.y),
    marker: { symbol, size, color: colours.ink, line: { width, color: colours.ink } },
  });
  const generators = run.resources.filter((item) => item.kind !== "flexible_load").map((item) => run.buses[item.bus]);
  return [
    ring("substation", [run.buses[0]], "square-open", 16, 2),
    ring("generator or storage", generators, "diamond-open", 14, 1.5),
    ring("chosen bus", run.buses.filter((bus) => bus.name === chosen.bus), "circle-open", 20, 2.5),
  ];
}

function mapLayout(colours) {
  const hidden = { visible: false };
  return layoutOf(colours, 470, {
    hovermode: "closest", margin: { l: 5, r: 5, t: 8, b: 5 }, xaxis: hidden, showlegend: false,
    yaxis: { ...hidden, scaleanchor: "x" },
  });
}

function scheduleChart(run, chosen, colours) {
  const s = run.series;
  const served = s.wholesale.map((value, t) => value - s.losses[t]);
  const area = (name, y, colour) => ({
    type: "scatter", mode: "lines", stackgroup: "power", line: { width: 0, shape: "hv" }, fillcolor: colour, name,
    x: run.times, y, hovertemplate: "%{y:.0f} kW",
  });
  const line = (name, y, colour, dash) => ({
    type: "scatter", mode: "lines", name, x: run.times, y, yaxis: "y2", line: { color: colour, width: 1.5, dash, shape: "hv" },
    hovertemplate: "%{y:.2f} $/MWh",
  });
  const traces = [
    area("wholesale, for loads", served, COLOUR.wholesale), area("wholesale, for losses", s.losses, COLOUR.losses),
    area("generators on the feeder", s.generation, COLOUR.generation), area("curtailed demand", s.curtailed, COLOUR.curtailed),
    line("LMP", s.lmp, COLOUR.lmp, "solid"), line("mean d-LMP", s.dlmp_mean, colours.ink, "dot"),
  ];
  return {
    traces,
    layout: layoutOf(colours, 430, {
      xaxis: timeAxis(run, colours, { anchor: "y" }), yaxis: axis(colours, "power [kW]", { domain: [0, 0.62] }),
      yaxis2: axis(colours, "price [$/MWh]", { domain: [0.7, 1] }), shapes: cursor(run, chosen, colours),
    }),
  };
}

function heatChart(quantity) {
  return (run, chosen, colours) => {
    const { title, unit, digits } = QUANTITIES[quantity];
    const [low, high] = chosen.ranges[quantity];
    return {
      traces: [{
        type: "heatmap", x: run.times, y: run.nodes, z: run.nodal[quantity],
        colorscale: scaleOf(quantity, colours), zmin: low, zmax: high,
        hovertemplate: `%{x|%H:%M} node %{y}: %{z:.${digits}f} ${unit}<extra></extra>`,
        colorbar: { title: { text: `${title} [${unit}]`, side: "right" }, thickness: 12, outlinewidth: 0 },
      }],
      layout: layoutOf(colours, 380, {
        hovermode: "closest", xaxis: timeAxis(run, colours, { showgrid: false }), shapes: cursor(run, chosen, colours),
        yaxis: axis(colours, "node, from the substation outward", { type: "category", autorange: "reversed", showgrid: false, ...nodeTicks(run) }),
      }),
    };
  };
}

function nodeTicks(run) {
  const every = Math.ceil(run.nodes.length / 12);
  return { tickvals: run.nodes.filter((_, k) => k % every === 0) };
}

function partsChart(run, chosen, colours) {
  const bus = run.buses.find((item) => item.name === chosen.bus);
  const line = (name, quantity, colour, width) => ({
    type: "scatter", mode: "lines", name, x: run.times, line: { color: colour, width, shape: "hv" },
    y: run.times.map((_, t) => atBus(run, quantity, bus, chosen.phase, t)), hovertemplate: "%{y:.2f} $/MWh",
  });
  const traces = [
    { ...line("energy: price at the head", "dlmp_real", COLOUR.lmp, 1.5), y: energyPart(run, bus, chosen) },
    line("losses", "loss", COLOUR.loss, 1.5), line("voltage limits", "voltage_part", COLOUR.voltage_part, 1.5),
    line("line ratings", "congestion", COLOUR.congestion, 1.5), line("d-LMP", "dlmp_real", colours.ink, 2.5),
  ];
  return {
    traces,
    layout: layoutOf(colours, 330, {
      xaxis: timeAxis(run, colours), yaxis: axis(colours, `bus ${chosen.bus}, ${phaseText(chosen)} [$/MWh]`),
      shapes: cursor(run, chosen, colours),
    }),
  };
}

function energyPart(run, bus, chosen) {
  const at = (quantity, t) => atBus(run, quantity, bus, chosen.phase, t);
  return run.times.map((_, t) => {
    const whole = at("dlmp_real", t);
    return whole === null ? null : whole - at("loss", t) - at("voltage_part", t) - at("congestion", t);
  });
}

function phaseText(chosen) {
  return chosen.phase === "mean" ? "mean of its phases" : `phase ${PHASES[chosen.phase]}`;
}

function extremes(columns, n) {
  const low = new Float64Array(n).fill(Infinity);
  const high = new Float64Array(n).fill(-Infinity);
  for (const column of columns) {
    for (let t = 0; t < n; t += 1) {
      low[t] = Math.min(low[t], column[t]);
      high[t] = Math.max(high[t], column[t]);
    }
  }
  return [low, high];
}

function voltageChart(run, chosen, colours) {
  const n = run.times.length;
  const [low, high] = extremes(run.nodal.voltage, n);
  const [lowPredicted, highPredicted] = extremes(run.nodal.predicted_voltage, n);
  const line = (name, y, extra) => ({
    type: "scatter", mode: "lines", name, x: run.times, y, hovertemplate: "%{y:.4f} pu", ...extra,
  });
  const bound = (y) => line("limit", [y, y], {
    x: [run.times[0], run.times[n - 1]], line: { color: COLOUR.congestion, width: 1.5, dash: "dash" },
    showlegend: y === run.limits[0], hoverinfo: "skip", hovertemplate: null,
  });
  const predicted = { line: { color: COLOUR.curtailed, width: 1.5, dash: "dot" } };
  return {
    traces: [
      line("lowest, AC", low, { line: { color: COLOUR.wholesale, width: 1.2 }, showlegend: false }),
      line("all nodes, AC", high, { line: { color: COLOUR.wholesale, width: 1.2 }, fill: "tonexty", fillcolor: "rgba(68,119,170,0.25)" }),
      line("lowest and highest, predicted", lowPredicted, predicted),
      line("highest, predicted", highPredicted, { ...predicted, showlegend: false }), bound(run.limits[0]), bound(run.limits[1]),
    ],
    layout: layoutOf(colours, 330, {
      xaxis: timeAxis(run, colours), yaxis: axis(colours, "voltage [pu]", { tickformat: ".3f" }), shapes: cursor(run, chosen, colours),
    }),
  };
}

function convergenceChart(run, chosen, colours) {
  const s = run.series;
  const dots = (name, y, unit, colour) => ({
    type: "scatter", mode: "markers", name, x: run.times, y, yaxis: "y2", marker: { size: 4, color: colour },
    hovertemplate: `%{y:.1e} ${unit}`,
  });
  const bars = (name, y, colour, extra) => ({
    type: "bar", name, x: run.times, y, marker: { color: colour, line: { width: 0 } }, hovertemplate: "%{y:.0f}", ...extra,
  });
  const traces = [
    bars("clearings of the interval", s.rounds, COLOUR.wholesale, { yaxis: "y3" }),
    bars("negotiation rounds", s.negotiation_rounds, COLOUR.generation, {}),
    dots("prediction against AC, voltage", s.voltage_error, "pu", COLOUR.curtailed),
    dots("primal residual", s.primal, "", COLOUR.lmp), dots("dual residual", s.dual, "", colours.muted),
  ];
  return {
    traces,
    layout: layoutOf(colours, 470, {
      bargap: 0, xaxis: timeAxis(run, colours, { anchor: "y" }), shapes: cursor(run, chosen, colours),
      yaxis: axis(colours, "negotiation<br>rounds", { domain: [0, 0.27], rangemode: "nonnegative" }),
      yaxis3: axis(colours, "clearings", { domain: [0.34, 0.5], dtick: 1, rangemode: "tozero" }),
      yaxis2: axis(colours, "residual, relative;<br>voltage error [pu]", { domain: [0.57, 1], type: "log", exponentformat: "power", dtick: 2, range: [-9, 0] }),
    }),
  };
}

const CHARTS = {
  map: mapChart, schedule: scheduleChart, heat_real: heatChart("dlmp_real"), heat_reactive: heatChart("dlmp_reactive"),
  parts: partsChart, voltage: voltageChart, convergence: convergenceChart,
};
