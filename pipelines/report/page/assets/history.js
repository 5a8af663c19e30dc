// What happened: spend by day, and what changed it from one period to the next.
const ROW_HEIGHT = 28;

// Over all days of the log: days by themselves where they are few, else months.
function overDays(spec, { first_day, last_day }) {
  const told = structuredClone(spec);
  const [first, after] = [dayAt(first_day, 0), dayAt(last_day, 1)].map((day) => Date.parse(`${day}T00:00:00Z`));
  const days = (after - first) / 86400000;
  for (const layer of told.layer ?? [told]) {
    const { x } = layer.encoding;
    Object.assign(x.scale, { domainMin: { expr: String(first) }, domainMax: { expr: String(after) } });
    x.axis.format = days > 300 ? "%b %Y" : "%-d %b";
    if (days < 10) x.axis.tickCount = { interval: "day", step: 1 };
    if (days > 100 && layer.mark.type === "bar") layer.mark.stroke = null;
  }
  return told;
}

function time() {
  const { spend, events, charts } = page.rest;
  const first = page.opening.about.first_day;
  if (!spend.cells.length)
    return section("time", "Spend by day", null, make("p", { class: "note" }, "No call of a known day has a price."));
  const values = spend.cells.map(([day, model, usd]) => {
    const date = dayAt(first, day);
    return {
      day: date,
      model: spend.models[model],
      order: model,
      usd: Number(usd),
      date: dayText(date),
      USD: usdText(usd),
    };
  });
  const changed = new Map();
  for (const change of events.prices) {
    const place = `${change.day} ${change.model}`;
    if (!changed.has(place)) changed.set(place, change);
  }
  const prices = [...changed.values()];
  const marks = [
    ...events.swaps.map((swap) => ({
      day: swap.day,
      sign: "S",
      date: dayText(swap.day),
      what: `${swap.feature}: ${swap.from} gave way to ${swap.to}`,
    })),
    ...prices.map(({ day, model }) => ({ day, sign: "P", date: dayText(day), what: `prices of ${model} changed` })),
  ];
  const [dearest, most] = spend.dearest_day;
  const unpriced = spend.unpriced_days.length
    ? ` On ${counted(spend.unpriced_days.length, "day")} calls without a price come on top.`
    : "";
  const undated = spend.undated === null ? "" : ` ${usdText(spend.undated)} USD are of calls without a day.`;
  const figure = chart({
    title: "Spend by day and model",
    about:
      `${counted(spend.day_count, "day")} with a cost, the most on ${dayText(dearest)}: ${usdText(most)} ` +
      `USD.${unpriced}${undated}`,
    spec: overDays(
      marks.length ? charts.spend : { ...charts.spend, layer: charts.spend.layer.slice(0, 1) },
      page.opening.about,
    ),
    values: { spend: values, marks },
    legend: legend(spend.models, [
      ...(events.swaps.length ? [["S", "a feature's main model was swapped"]] : []),
      ...(prices.length ? [["P", "a price changed"]] : []),
    ]),
    table: () =>
      plainTable(
        "Spend by day and model",
        [
          ["day", false],
          ["model", false],
          ["USD", true],
        ],
        values.map((value) => [value.day, value.model, value.USD]),
      ),
  });
  const rate = (usd) => (usd === null ? "no price" : usdText(usd));
  const changes = events.prices.map(
    (change) =>
      `${dayText(change.day)}: ${change.model}, ` +
      `${change.token_class}${change.above ? ` above ${count(change.above)} tokens` : ""} from ` +
      `${rate(change.from)} to ${rate(change.to)} USD a million`,
  );
  const lists = [
    ["Swaps of a feature's main model", events.swaps.map((swap) => `${swap.feature}, ${swapText(swap)}`)],
    ["Changes of prices of models that were used", changes],
  ];
  const told = lists.map(([title, texts]) =>
    texts.length
      ? folded(`${title}: ${count(texts.length)}`, () =>
          make(
            "ul",
            {},
            texts.map((text) => make("li", {}, text)),
          ),
        )
      : make("p", { class: "note" }, `${title}: none was found.`),
  );
  return section("time", "Spend by day", null, figure, told, sqlOf(["Spend by day"], page.rest));
}

const EFFECTS = {
  users: "more or fewer users",
  actions_per_user: "actions a user",
  calls_per_action: "calls an action",
  tokens_per_call: "tokens a call",
  model_mix: "other models",
  class_mix: "other token classes",
  price: "prices",
  new: "new use",
  gone: "use that ended",
};

function bridge() {
  const { bridge: told, charts } = page.rest;
  const title = "From one period to the next";
  if (!told)
    return section(
      "bridge",
      title,
      null,
      make("p", { class: "note" }, "The log has not two days whose cost is known: there is nothing to compare."),
      sqlOf([title], page.rest),
    );
  const names = [
    `${dayText(told.days[0])} to ${dayText(told.days[1])}`,
    `${dayText(told.days[2])} to ${dayText(told.days[3])}`,
  ];
  const total = Object.fromEntries(
    Object.entries(told.total).map(([name, value]) => [name, name === "unpriced" ? value : picoOf(value)]),
  );
  const from = total.from_cost ?? 0n;
  let level = from;
  const steps = [{ label: "before", kind: "total", from: 0n, to: from, USD: money(from) }];
  for (const [name, label] of Object.entries(EFFECTS)) {
    const effect = total[name] ?? 0n;
    if (effect === 0n) continue;
    steps.push({
      label,
      kind: effect > 0n ? "up" : "down",
      from: level,
      to: level + effect,
      USD: `${effect > 0n ? "+" : ""}${money(effect)}`,
    });
    level += effect;
  }
  steps.push({ label: "after", kind: "total", from: 0n, to: level, USD: money(level) });
  const values = steps.map((step) => ({
    label: step.label,
    kind: step.kind,
    start: numberOf(step.from),
    end: numberOf(step.to),
    right: Math.max(numberOf(step.from), numberOf(step.to)),
    USD: step.USD,
  }));
  const widest = Math.max(...values.map((value) => value.right));
  const spec = { ...structuredClone(charts.bridge), height: ROW_HEIGHT * values.length };
  spec.layer[0].encoding.x.scale = {
    domain: [Math.min(0, ...values.map((value) => Math.min(value.start, value.end))), widest * 1.22],
  };
  const unpriced =
    total.unpriced[0] + total.unpriced[1]
      ? ` ${count(total.unpriced[0])} and ${count(total.unpriced[1])} calls without a price are in none of it.`
      : "";
  const columns = [
    ["feature", false],
    ["before", true],
    ["after", true],
    ["change", true],
    ...Object.values(EFFECTS).map((name) => [name, true]),
  ];
  const cells = (row) => [
    money(picoOf(row.from_cost)),
    money(picoOf(row.to_cost)),
    money(picoOf(row.change)),
    ...Object.keys(EFFECTS).map((name) => money(picoOf(row[name]))),
  ];
  return section(
    "bridge",
    title,
    `${told.name[0].toUpperCase()}${told.name.slice(1)}: ${names[0]}, and ${names[1]}. One thing ` +
      "after another is set to what it became; the steps add up to the change.",
    chart({
      title: "What changed the cost",
      about: `From ${money(from)} to ${money(level)} USD.${unpriced}`,
      spec,
      values: { steps: values },
      table: () =>
        plainTable("What changed the cost, by feature", columns, [
          ["all", ...cells(told.total)],
          ...told.rows.map((row) => [row.name, ...cells(row)]),
        ]),
    }),
    sqlOf([title], page.rest),
  );
}
