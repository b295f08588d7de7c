// Elements and files: text is always text here, whatever a name contains.

export function element(tag, text, className) {
  const item = document.createElement(tag);
  if (text !== undefined) item.textContent = text;
  if (className) item.className = className;
  return item;
}

// Words stand left in their column, numbers right.
export function table(rows, head) {
  const words = (rows[0] || []).map((_, k) =>
    rows.every((row) => typeof row[k] === "string" && !/^[-+]?[\d]|^n\/a$/.test(row[k])),
  );
  const box = element("div", undefined, "scroll");
  const made = element("table");
  if (head) {
    const top = element("thead");
    top.append(rowOf(head, "th", words));
    made.append(top);
  }
  const body = element("tbody");
  for (const row of rows) body.append(rowOf(row, "td", words));
  made.append(body);
  box.append(made);
  return box;
}

export function rowOf(cells, tag, words = []) {
  const row = element("tr");
  cells.forEach((cell, k) =>
    row.append(cell instanceof Node ? cell : element(tag, cell, words[k] ? "words" : "")),
  );
  return row;
}

export function options(select, pairs, value) {
  select.replaceChildren(
    ...pairs.map(([key, text]) => {
      const option = element("option", text);
      option.value = key;
      return option;
    }),
  );
  select.value = value;
  return select;
}

// A card with a title, what it shows, and buttons for its picture and its numbers.
export function card(parent, { id, title, unit, note }, { png, csv } = {}) {
  const place = element("section", undefined, "card");
  place.id = id;
  const top = element("header");
  const words = element("div");
  const heading = element("h3", title);
  if (unit) heading.append(" ", element("span", unit, "unit"));
  const caption = element("p", note, "note");
  words.append(heading, caption);
  const tools = element("div", undefined, "tools");
  if (png) tools.append(button("PNG", `Save a picture of: ${title}`, () => savePng(png(), fileName(title))));
  if (csv)
    tools.append(button("CSV", `Save the numbers of: ${title}`, () => saveCsv(csv(), fileName(title))));
  top.append(words, tools);
  place.append(top);
  parent.append(place);
  return { place, heading, caption, tools };
}

export function button(text, label, press) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.title = label;
  made.addEventListener("click", press);
  return made;
}

export function fileName(text) {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_")
      .replace(/^_|_$/g, "") || "chart"
  );
}

function save(blob, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function savePng(canvas, name) {
  canvas.toBlob((blob) => save(blob, `${name}.png`));
}

export function csvText(rows) {
  const cell = (value) => {
    const text = typeof value === "number" && Number.isNaN(value) ? "" : String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n");
}

function saveCsv(rows, name) {
  save(new Blob([csvText(rows), "\r\n"], { type: "text/csv" }), `${name}.csv`);
}

// A canvas as wide as its parent, drawn at the resolution of the screen or better.
export function fitCanvas(canvas, width, height) {
  const ratio = devicePixelRatio;
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== tall) {
    Object.assign(canvas, { width: wide, height: tall });
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// A canvas under its title, with a legend of [colour, text], on the colour of the page.
export function framed(canvas, title, legend, colours) {
  const ratio = devicePixelRatio;
  const top = (legend.length ? 44 : 28) * ratio;
  const whole = document.createElement("canvas");
  whole.width = canvas.width;
  whole.height = canvas.height + top;
  const context = whole.getContext("2d");
  context.fillStyle = colours.card;
  context.fillRect(0, 0, whole.width, whole.height);
  context.drawImage(canvas, 0, top);
  context.scale(ratio, ratio);
  context.fillStyle = colours.ink;
  context.font = "600 14px system-ui, sans-serif";
  context.fillText(title, 8, 18);
  context.font = "12px system-ui, sans-serif";
  let x = 8;
  for (const [colour, text] of legend) {
    context.fillStyle = colour;
    context.fillRect(x, 29, 14, 8);
    context.fillStyle = colours.ink;
    context.fillText(text, x + 18, 37);
    x += context.measureText(text).width + 34;
  }
  return whole;
}
