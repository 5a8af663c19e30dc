// The tables of features, which follow the slider, and of users.
function outcomeCell(text, low, high) {
  return make(
    "span",
    {},
    text,
    low === null || high === null ? "" : make("small", {}, `${usdText(low)} \u2013 ${usdText(high)}`),
  );
}

function featureTable() {
  const { opening, prices } = page;
  const rows = subjects(opening.features);
  const at = (row) => prices.at(prices.rows[row.place], page.change);
  const interval = (row) => {
    // An interval moves with all prices alike; how it moves with some of them nothing tells.
    const factor = prices.scope === 0 ? 1 + page.change / 100 : page.change === 0 ? 1 : null;
    return [row.low, row.high].map((end) =>
      end === null || factor === null ? null : Number((Number(end) * factor).toPrecision(12)),
    );
  };
  const columns = [
    { key: "name", label: "Feature", sort: (row) => row.name },
    {
      key: "actions",
      label: "Actions",
      isFigure: true,
      sort: (row) => row.action_count,
      show: (row) => count(row.action_count),
    },
    {
      key: "per_user",
      label: "a user",
      help: "Actions of known users over these users",
      isFigure: true,
      sort: (row) => row.actions_per_user,
      show: (row) => mean(row.actions_per_user),
    },
    {
      key: "tokens",
      label: "Tokens/action",
      help: "Mean input and output of the actions whose usage is known",
      isFigure: true,
      sort: (row) => row.tokens_per_action,
      show: (row) => mean(row.tokens_per_action),
    },
    {
      key: "cost",
      label: "Cost",
      help: "USD",
      isFigure: true,
      isLive: true,
      sort: (row) => at(row).cost,
      show: (row) => atLeast(money(at(row).cost), row.unpriced_call_count),
    },
    {
      key: "outcome",
      label: "An outcome",
      help: "USD: cost of the labelled actions over successes, and its 95% interval",
      isFigure: true,
      isLive: true,
      sort: (row) => at(row).perOutcome,
      show: (row) => outcomeCell(atLeast(money(at(row).perOutcome), row.unpriced_call_count), ...interval(row)),
    },
    {
      key: "revenue",
      label: "Revenue",
      help: "USD",
      isFigure: true,
      sort: (row) => (row.revenue === null ? null : Number(row.revenue)),
      show: (row) => usdText(row.revenue),
    },
    {
      key: "margin",
      label: "Margin",
      help: "USD: revenue less cost; LOST: below zero",
      isFigure: true,
      isLive: true,
      sort: (row) => at(row).margin,
      show: (row) => make("span", {}, marginText(at(row))),
    },
    {
      key: "break_even",
      label: "Break-even",
      help: "How far the chosen prices may rise until the margin is zero",
      isFigure: true,
      isLive: true,
      sort: (row) => prices.breakEven(prices.rows[row.place]),
      show: (row) => {
        const change = prices.breakEven(prices.rows[row.place]);
        return roughly(prices.grid && change !== null) + atMost(share(change, true), row.unpriced_call_count);
      },
    },
    {
      key: "rides",
      label: "Rides on",
      help: "The model that most of its cost is of",
      isFigure: false,
      sort: (row) => prices.rides(prices.rows[row.place])?.share ?? null,
      show: (row) => ridesCell(prices.rides(prices.rows[row.place])),
    },
  ];
  page.features = new Table({
    caption: "Features",
    columns,
    rows,
    noun: "feature",
    sortedBy: "cost",
    detail: (row) => detailOf(row, "feature", page),
  });
  return page.features;
}

function ridesCell(rides) {
  return rides ? make("span", { class: "rides" }, `${share(rides.share)} `, make("small", {}, rides.model)) : UNKNOWN;
}

function userTable() {
  const rows = subjects(page.rest.users);
  const { names, models } = page.rest.user_details;
  const rides = (row) =>
    models[row.place].length ? { model: names[models[row.place][0][0]], share: models[row.place][0][2] } : null;
  const amount = (key, label, help, text) => ({
    key,
    label,
    help,
    isFigure: true,
    sort: (row) => (row[key] === null ? null : Number(row[key])),
    show: text,
  });
  const columns = [
    { key: "name", label: "User", sort: (row) => row.name },
    amount("action_count", "Actions", "Actions with a call of the user", (row) => count(row.action_count)),
    amount("calls_per_action", "Calls/action", "Mean calls of an action", (row) => mean(row.calls_per_action)),
    amount("tokens_per_action", "Tokens/action", "Mean input and output of the actions whose usage is known", (row) =>
      mean(row.tokens_per_action),
    ),
    amount("cost", "Cost", "USD, at today's prices", (row) => atLeast(usdText(row.cost), row.unpriced_call_count)),
    amount(
      "cost_per_outcome",
      "An outcome",
      "USD: cost of the labelled actions over successes, and its 95% interval",
      (row) => outcomeCell(atLeast(usdText(row.cost_per_outcome), row.unpriced_call_count), row.low, row.high),
    ),
    amount("revenue", "Revenue", "USD", (row) => usdText(row.revenue)),
    amount("margin", "Margin", "USD: revenue less cost; LOST: below zero", (row) =>
      make(
        "span",
        {},
        atMost(usdText(row.margin), row.unpriced_call_count),
        row.margin !== null && Number(row.margin) < 0 ? make("b", { class: "lost" }, " LOST") : "",
      ),
    ),
    amount("break_even_change", "Break-even", "How far all prices may rise until the margin is zero", (row) =>
      atMost(share(row.break_even_change, true), row.unpriced_call_count),
    ),
    {
      key: "rides",
      label: "Rides on",
      help: "The model that most of its cost is of",
      isFigure: false,
      sort: (row) => rides(row)?.share ?? null,
      show: (row) => ridesCell(rides(row)),
    },
  ];
  return new Table({
    caption: "Users",
    columns,
    rows,
    noun: "user",
    sortedBy: "cost",
    detail: (row) => detailOf(row, "user", page),
  });
}
