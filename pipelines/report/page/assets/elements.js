// Everything on the page is made here. Text is text: nothing is ever parsed as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const byId = (id) => document.getElementById(id);

// A part that is made when it is opened for the first time.
function folded(summary, content, attributes = {}) {
  const details = make("details", attributes, make("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(...[content()].flat());
  });
  return details;
}

function section(id, title, lead, ...children) {
  const name = `${id}-title`;
  const head = make("h2", { id: name }, title);
  return make(
    "section",
    { id, "aria-labelledby": name },
    head,
    lead ? make("p", { class: "lede" }, lead) : null,
    ...children,
  );
}

// A small table of figures; `columns` are [name, whether it is a figure].
function plainTable(caption, columns, rows) {
  const cell = (value, [, isFigure], tag) =>
    make(
      tag,
      { class: isFigure ? "figure" : null, scope: tag === "th" ? "row" : null },
      value instanceof Node ? value : String(value),
    );
  const head = columns.map(([name, isFigure]) => make("th", { scope: "col", class: isFigure ? "figure" : null }, name));
  const body = rows.map((row) =>
    make(
      "tr",
      {},
      row.map((value, place) => cell(value, columns[place], place ? "td" : "th")),
    ),
  );
  const table = make(
    "table",
    {},
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, head)),
    make("tbody", {}, body),
  );
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
}

function verdict(survives) {
  if (survives === false) return make("b", { class: "lost" }, "LOST");
  return make("span", { class: survives ? "holds" : "unsure" }, survives ? "holds" : "not known");
}

function dayText(day) {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
}

function dayAt(first, number) {
  return new Date(Date.parse(`${first}T00:00:00Z`) + number * 86400000).toISOString().slice(0, 10);
}

// The queries behind a part, as they were asked, and the SQL that made the tables which they ask.
function sqlOf(parts, rest) {
  return folded(
    "SQL behind these figures",
    () => {
      const texts = parts.flatMap((part) => rest.sql[part] ?? []);
      const models = Object.keys(rest.models).filter((name) =>
        texts.some((text) => new RegExp(`\\b${name}\\b`).test(text)),
      );
      return [
        make("p", {}, "Asked of the warehouse, word for word; run them with: tokenspread sql"),
        ...texts.map((text) => make("pre", { tabindex: "0" }, text)),
        ...models.map((name) => folded(`how ${name} is made`, () => make("pre", { tabindex: "0" }, rest.models[name]))),
      ];
    },
    { class: "sql" },
  );
}
