// The slider: what it is of, where margins are gone, and what it moves.
const LOWEST = -60;
const HIGHEST = 100;

function priceSlider() {
  const { prices } = page;
  const groups = [
    ["", "all"],
    ["One provider", "provider"],
    ["One model", "model"],
  ].map(([label, kind]) => {
    const options = prices.scopes
      .map((scope, place) => [scope, place])
      .filter(([scope]) => scope.kind === kind)
      .map(([scope, place]) => make("option", { value: place }, scope.label));
    return label ? make("optgroup", { label }, options) : options;
  });
  const scope = make(
    "select",
    {
      id: "scope",
      onchange: () => {
        prices.choose(Number(scope.value));
        moved(true);
      },
    },
    groups,
  );
  const range = make("input", {
    type: "range",
    id: "change",
    min: LOWEST,
    max: HIGHEST,
    step: 1,
    value: 0,
    "aria-describedby": "break-even",
    oninput: () => {
      page.change = Number(range.value);
      moved(false);
    },
    onchange: () => moved(true),
  });
  const jumps = [-60, -30, 0, 50, 100].map((change) =>
    make(
      "button",
      {
        type: "button",
        "data-change": change,
        onclick: () => {
          range.value = page.change = change;
          moved(true);
        },
      },
      percent(change),
    ),
  );
  return make(
    "div",
    { class: "slider" },
    make(
      "div",
      { class: "slider-head" },
      make("label", { for: "scope" }, "Prices of "),
      scope,
      make("output", { id: "changed", for: "change scope" }),
    ),
    make(
      "div",
      { class: "track" },
      make("label", { for: "change", class: "unseen" }, "Change of prices in percent"),
      range,
      make("div", { class: "ticks", id: "ticks", "aria-hidden": "true" }),
    ),
    make("div", { class: "jumps", role: "group", "aria-label": "Go to" }, jumps),
    make("p", { id: "break-even" }),
    make("div", { id: "readout" }),
    make("p", { class: "note", id: "spend-note" }),
  );
}

const positionOf = (change) =>
  `calc(var(--thumb) / 2 + (100% - var(--thumb)) * ${(change - LOWEST) / (HIGHEST - LOWEST)})`;

function tick(change, label, className) {
  const place = (change - LOWEST) / (HIGHEST - LOWEST);
  const side = place < 0.15 ? "rightwards" : place > 0.85 ? "leftwards" : "";
  const mark = make(
    "span",
    { class: `tick ${className}`, title: label },
    make("i", { class: side }, className === "gone" ? label : ""),
  );
  mark.style.left = positionOf(change);
  return mark;
}

// Where margins are gone: of all in words and as a mark, of each feature as a stroke.
function markBreakEvens() {
  const { prices, opening } = page;
  const marks = [tick(0, "today", "now")];
  prices.rows.forEach((row, place) => {
    const change = prices.breakEven(row);
    if (change !== null && change >= LOWEST && change <= HIGHEST)
      marks.push(tick(change, `${opening.features.name[place]}: ${share(change, true)}`, "each"));
  });
  const all = prices.breakEven(prices.total);
  const shown = atMost(share(all, true), prices.total.unpriced);
  if (all !== null && all >= LOWEST && all <= HIGHEST)
    marks.push(tick(all, `break-even ${roughly(prices.grid)}${shown}`, "gone"));
  byId("ticks").replaceChildren(...marks);
  byId("break-even").textContent = breakEvenText(
    all,
    marks.some((mark) => mark.classList.contains("each")),
  );
}

function breakEvenText(all, hasStrokes) {
  const { prices } = page;
  const { label } = prices.scopes[prices.scope];
  if (prices.total.revenue === null) return "No revenue is told, so there is no margin to lose.";
  if (prices.total.cost === null) return "No call has a price, so no margin is known.";
  if (all === null && prices.grid) return "No break-even of all is known within what the slider shows.";
  if (all === null) return `Nothing of the cost rides on ${label}: its prices move no margin.`;
  const strokes = hasStrokes ? " Short strokes: where single features lose theirs." : "";
  if (all < -100)
    return `There is no break-even: with ${label} free of charge the margin of all is below zero.${strokes}`;
  const where =
    all < LOWEST ? ", below what the slider shows" : all > HIGHEST ? ", beyond what the slider shows" : "";
  const atMost = prices.total.unpriced ? " At most there: calls without a price would lower it." : "";
  const zero = `${roughly(prices.grid)}${share(all, true)}`;
  return `Break-even: the margin of all is zero at ${zero}${where}.${atMost}${strokes}`;
}

function readout() {
  const { prices, change } = page;
  const columns = [
    ["USD", false],
    ["cost", true],
    ["an outcome", true],
    ["margin", true],
  ];
  const changes = [...new Set([-30, 0, 50, change])].sort((one, other) => one - other);
  const rows = changes.map((some) => {
    const at = prices.at(prices.total, some);
    const name = some === change ? make("b", { "aria-current": "true" }, percent(some)) : percent(some);
    return [
      name,
      atLeast(money(at.cost), at.unpriced),
      atLeast(money(at.perOutcome), at.unpriced),
      make("span", {}, marginText(at)),
    ];
  });
  return plainTable("All features", columns, rows);
}

const roughly = (isNear) => (isNear ? "\u2248" : "");

function marginText(at) {
  if (at.margin === null) return UNKNOWN;
  return [
    roughly(at.isNear),
    atMost(money(at.margin), at.unpriced),
    at.survives === false ? make("b", { class: "lost" }, " LOST") : "",
  ];
}

function moved(isDone) {
  const { prices, change } = page;
  const label = prices.scopes[prices.scope].label;
  byId("changed").textContent = percent(change);
  byId("change").setAttribute("aria-valuetext", `${label}: ${percent(change)}`);
  byId("readout").replaceChildren(readout());
  for (const jump of document.querySelectorAll("[data-change]"))
    jump.setAttribute("aria-pressed", String(Number(jump.dataset.change) === change));
  if (isDone) {
    markBreakEvens();
    page.features.order();
  } else page.features.refresh();
  byId("features-at").textContent =
    `Cost, an outcome's cost, margin and what it rides on: with ${label} ` +
    `${change ? `at ${percent(change)}` : "as today"}.`;
}
