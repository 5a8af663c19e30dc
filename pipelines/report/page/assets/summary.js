// The first lines: in words, and in three figures.
const LOOKED_AT = [0, -30, 50];

function figure(title, value, ...lines) {
  return make(
    "div",
    { class: "key" },
    make("p", { class: "key-title" }, title),
    make("p", { class: "key-value" }, value),
    lines.map((line) => make("p", { class: "key-line" }, line)),
  );
}

function marginLine(prices, change) {
  const { margin, survives, unpriced } = prices.at(prices.total, change);
  if (margin === null) return [`${UNKNOWN}`];
  return [
    atMost(money(margin), unpriced),
    survives === false
      ? make("b", { class: "lost" }, " LOST")
      : survives
        ? ""
        : make("span", { class: "unsure" }, " not known to hold"),
  ];
}

function survivors(prices, names, change) {
  const found = { holds: [], lost: [], unsure: [] };
  prices.rows.forEach((row, place) => {
    const { margin, survives } = prices.at(row, change);
    if (margin !== null) found[survives ? "holds" : survives === false ? "lost" : "unsure"].push(names[place]);
  });
  return found;
}

const listed = (names) =>
  names.length > 6 ? `${names.slice(0, 5).join(", ")} and ${count(names.length - 5)} more` : names.join(", ");

// Which features keep a margin, today and when prices move.
function survival(prices, names) {
  const rows = LOOKED_AT.map((change) => [change, survivors(prices, names, change)]);
  const known = Object.values(rows[0][1]).flat().length;
  if (!known) return [];
  const part = (word, found) => (found.length ? make("span", {}, word, ` ${listed(found)}. `) : null);
  const told = rows.map(([change, { holds, lost, unsure }]) =>
    make(
      "div",
      {},
      make("dt", {}, change ? `at ${percent(change)}` : "today"),
      make(
        "dd",
        {},
        part(make("b", {}, holds.length === 1 ? "Survives:" : "Survive:"), holds),
        part(make("b", {}, "Not known to be lost:"), unsure),
        part(make("b", { class: "lost" }, "LOST:"), lost),
      ),
    ),
  );
  return [
    make("p", { class: "key-title" }, `Of ${counted(known, "feature")} with a revenue`),
    make("dl", { class: "survival" }, told),
  ];
}

function summary(page) {
  const { opening, prices } = page;
  const { about, coverage } = opening;
  byId("period").textContent = about.first_day
    ? `${dayText(about.first_day)} to ${dayText(about.last_day)} (UTC)`
    : "The log tells no days";
  if (!prices) {
    byId("lead").textContent =
      "There is no call in the ledger yet: read some logs with tokenspread run LOGS, and write this page again.";
    return;
  }
  const row = Object.fromEntries(Object.entries(opening.total).map(([name, [value]]) => [name, value]));
  const total = prices.total;
  const now = prices.at(total, 0);
  const cost = atLeast(money(now.cost), now.unpriced);
  const each = atLeast(money(now.perOutcome), now.unpriced);
  const words = [`${counted(coverage.calls, "call")} in ${counted(row.action_count, "action")} cost ${cost} USD.`];
  if (now.perOutcome !== null)
    words.push(
      `A successful outcome costs ${each} USD, failures included: ${count(row.success_count)} of ` +
        `${counted(row.labelled_count, "labelled action")} succeeded.`,
    );
  else
    words.push(
      row.labelled_count
        ? "No labelled action has a priced success: what an outcome costs is not known."
        : "What an outcome costs is not known: no outcome is told (--outcomes).",
    );
  if (total.revenue === null) words.push("Whether it pays is not known: no revenue is told (--revenue).");
  else {
    const margins = LOOKED_AT.map((change) => {
      const { margin, survives, unpriced } = prices.at(total, change);
      return (
        `${atMost(money(margin), unpriced)} USD${survives === false ? " (LOST)" : ""} ` +
        `${change ? `at ${percent(change)}` : "today"}`
      );
    });
    words.push(`The margin is ${margins.join(", ")}.`);
    byId("survival").replaceChildren(...survival(prices, opening.features.name));
  }
  byId("lead").textContent = words.filter(Boolean).join(" ");
  const interval =
    row.low === null || row.high === null
      ? "no interval: too few successes"
      : `95% interval ${usdText(row.low)} to ${usdText(row.high)}` +
        (row.sampled_count < row.labelled_count ? `, of ${count(row.sampled_count)} actions whose cost is known` : "");
  byId("figures").replaceChildren(
    figure(
      "Spent, USD",
      cost,
      `${counted(coverage.calls, "call")}, ${counted(row.user_count, "known user")}`,
      `${atLeast(usdText(row.cost_per_action), now.unpriced)} an action`,
    ),
    figure(
      "An outcome costs, USD",
      each,
      now.perOutcome === null ? "no success is told" : interval,
      `${share(row.success)} of labelled actions succeed`,
    ),
    figure(
      "Margin today, USD",
      total.revenue === null ? UNKNOWN : make("span", {}, marginLine(prices, 0)),
      ...(total.revenue === null
        ? ["no revenue is told"]
        : [-30, 50].map((change) => make("span", {}, `at ${percent(change)}: `, marginLine(prices, change)))),
    ),
  );
  const marks = [];
  if (now.unpriced)
    marks.push(
      `+ marks a cost to which ${counted(now.unpriced, "call")} without a price come on top; < a ` +
        "margin or break-even that these would lower.",
    );
  const earning = prices.rows.filter((subject) => subject.revenue !== null).length;
  if (total.revenue !== null && earning < prices.rows.length)
    marks.push(
      `Revenue is told for ${count(earning)} of ${counted(prices.rows.length, "feature")}; the margin takes off the ` +
        "cost of all of them.",
    );
  byId("marks").textContent = marks.join(" ");
}
