// What a row of features or users opens to.
function percentiles(row) {
  const tokens = ["p50", "p90", "p99"].map((part) => count(row[`${part}_tokens_per_action`]));
  const costs = ["p50", "p90", "p99"].map((part) => usdText(row[`${part}_cost_per_action`]));
  const successes = ["p50", "p90", "p99"].map((part) => usdText(row[`${part}_cost_per_success`]));
  const columns = [
    ["", false],
    ["median", true],
    ["p90", true],
    ["p99", true],
  ];
  const rows = [
    ["tokens of an action", ...tokens],
    ["USD of an action", ...costs],
    ["USD of a success", ...successes],
  ];
  return make(
    "div",
    { class: "block" },
    make("h4", {}, "How actions differ"),
    plainTable("Percentiles", columns, rows),
    make(
      "p",
      { class: "note" },
      `Cost: of the ${count(row.costed_action_count)} actions whose every call has a price.`,
    ),
  );
}

function drivers(title, told, names) {
  if (!told.length) return null;
  const rows = told.slice(0, 12).map(([name, usd, part]) => [names[name], usdText(usd), share(part)]);
  const more =
    told.length > 12 ? make("p", { class: "note" }, `and ${count(told.length - 12)} more (table exposure)`) : null;
  return make(
    "div",
    { class: "block" },
    make("h4", {}, title),
    plainTable(
      title,
      [
        ["", false],
        ["USD", true],
        ["share", true],
      ],
      rows,
    ),
    more,
  );
}

function facts(row) {
  const unpriced = row.unpriced_call_count;
  const told = [
    ["calls", count(row.call_count)],
    ["calls of an action", mean(row.calls_per_action)],
    ["cost of an action", atLeast(usdText(row.cost_per_action), unpriced)],
    ["labelled actions", `${count(row.labelled_count)} of ${count(row.action_count)}`],
    [
      "of these, successes",
      `${count(row.success_count)} (${share(row.success)}; 95% interval ${share(row.low_success)} ` +
        `to ${share(row.high_success)})`,
    ],
    ["cost of those that failed", atLeast(usdText(row.failed_cost), unpriced)],
    ["read from a cache", `${share(row.cache_read)} of the input`],
    ["calls that failed", count(row.error_call_count)],
    ["retries", `${count(row.retry_call_count)} (${usdText(row.retry_cost)} USD)`],
    ["calls without a price", count(unpriced)],
    ["calls of unknown usage", count(row.unknown_usage_call_count)],
  ];
  if (row.margin !== null) {
    told.push(
      ["margin known to hold", row.holds[0] ?? "in no scenario"],
      ["margin LOST", row.holds[1] ?? "in no scenario"],
    );
  }
  return make(
    "div",
    { class: "block" },
    make("h4", {}, "What it takes and leads to"),
    make(
      "dl",
      {},
      told.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]),
    ),
  );
}

function spentDays(details, place, first) {
  if (place < details.days.length) {
    const [steps, usd] = details.days[place];
    let number = 0;
    return { unit: "days", told: steps.map((step, at) => [dayAt(first, (number += step)), usd[at]]) };
  }
  const [months, usd] = details.months[place - details.days.length];
  return { unit: "months", told: months.map((month, at) => [`${month}-01`, usd[at]]) };
}

function daysOf(row, details, page) {
  const { unit, told } = spentDays(details, row.place, page.opening.about.first_day);
  if (!told.length) return make("p", { class: "note" }, "No call of a known day has a price.");
  const label = (day) => (unit === "months" ? day.slice(0, 7) : dayText(day));
  const values = told.map(([day, usd]) => ({ day, usd: Number(usd), date: label(day), USD: usdText(usd) }));
  const dearest = told.reduce((best, some) => (Number(some[1]) > Number(best[1]) ? some : best));
  return make(
    "div",
    { class: "block wide" },
    chart({
      title: unit === "days" ? "Spend by day" : "Spend by month",
      about:
        `${row.name}: ${counted(told.length, unit.slice(0, -1))} with a cost, the most on ` +
        `${label(dearest[0])} (${usdText(dearest[1])} USD).`,
      spec: overDays(page.rest.charts[unit], page.opening.about),
      values: { days: values },
      table: () =>
        plainTable(
          "Spend",
          [
            ["", false],
            ["USD", true],
          ],
          values.map((value) => [value.date, value.USD]),
        ),
    }),
  );
}

function swapsOf(row, page) {
  const found = page.rest.events.swaps.filter((swap) => swap.feature === row.name);
  const told = found.map((swap) => make("li", {}, swapText(swap)));
  return make(
    "div",
    { class: "block wide" },
    make("h4", {}, "Swaps of its main model"),
    told.length ? make("ul", {}, told) : make("p", { class: "note" }, "None was found."),
  );
}

function ratioText([ratio, low, high]) {
  if (ratio === null) return "unknown";
  const text = (number) => number.toFixed(2);
  return low === null ? `${text(ratio)}x` : `${text(ratio)}x (95% interval ${text(low)} to ${text(high)})`;
}

function swapText(swap) {
  return (
    `${dayText(swap.day)}: ${swap.from} gave way to ${swap.to}; tokens of an action ` +
    `${ratioText(swap.tokens)}, its cost ${ratioText(swap.cost)}, over ${count(swap.actions[0])} ` +
    `and ${count(swap.actions[1])} actions.`
  );
}

function detailOf(row, kind, page) {
  if (!page.rest) return make("p", { class: "note" }, "Unpacking\u2026");
  const details = page.rest[`${kind}_details`];
  return make(
    "div",
    { class: "blocks" },
    facts(row),
    percentiles(row),
    drivers("Models", details.models[row.place], details.names),
    drivers("Token classes", details.classes[row.place], details.names),
    daysOf(row, details, page),
    kind === "feature" ? swapsOf(row, page) : null,
  );
}
