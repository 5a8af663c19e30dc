// What the figures rest on, and all that is not known.
function basis() {
  const { opening, rest } = page;
  const { about, coverage, book } = opening;
  const kept = [
    "kept_line_count",
    "duplicate_count",
    "quarantined_count",
    "other_count",
    "blank_count",
    "pruned_count",
  ];
  const words = ["tell of calls or outcomes", "duplicate", "quarantined", "other", "blank", "pruned"];
  const lines = [["lines read", coverage.line_count], ...kept.map((name, place) => [words[place], coverage[name]])].map(
    ([name, number]) => [name, count(number)],
  );
  for (const [reason, number] of coverage.quarantine) lines.push([`quarantined: ${reason}`, count(number)]);
  const unknown = page.prices
    ? [
        ["calls without a price", count(page.prices.total.unpriced), ""],
        [
          "calls without a feature",
          count(coverage.no_feature_call_count),
          `${share(coverage.known_feature)} of the cost has one`,
        ],
        [
          "calls without a user",
          count(coverage.no_user_call_count),
          `${share(coverage.known_user)} of the cost has one`,
        ],
        [
          "calls without a customer",
          count(coverage.no_customer_call_count),
          `${share(coverage.known_customer)} of the cost has one`,
        ],
        ["calls without a day", count(coverage.no_day_call_count), ""],
        [
          "actions without an outcome",
          `${count(coverage.unlabelled)} of ${count(coverage.actions)}`,
          `${usdText(coverage.unlabelled_cost)} USD`,
        ],
      ]
    : [];
  const unpriced = coverage.unpriced.map((row) => [row.model, row.why.replaceAll("_", " "), count(row.calls)]);
  const learned = book
    .map((row) => row.recorded_at.slice(0, 16))
    .sort()
    .at(-1);
  const ASSUMPTIONS = [
    "Re-pricing takes the calls as they were made: nobody uses more because it is cheaper, and " +
      "no model gives way to another.",
    "An outcome's cost is that of all labelled actions over the successes among them; actions " +
      "without an outcome yet are in the cost and not in it.",
    "What a cost does not hold is said: + stands where calls without a price come on top.",
    "Revenue is as it was given, for its own period; the margin is revenue less the cost of the " +
      "calls in the log, whatever days they are of.",
    "Intervals are of 95% (Fieller's for an outcome's cost, Wilson's for shares) and take " +
      "actions for independent of each other.",
    "Money is counted in integers and rounded once, half-even, where it is shown.",
  ];
  return section(
    "basis",
    "What it rests on",
    null,
    make(
      "div",
      { class: "blocks" },
      make(
        "div",
        { class: "block" },
        make("h3", {}, "Lines"),
        plainTable(
          "Lines",
          [
            ["", false],
            ["lines", true],
          ],
          lines,
        ),
      ),
      unknown.length
        ? make(
            "div",
            { class: "block" },
            make("h3", {}, "Not known"),
            plainTable(
              "Not known",
              [
                ["", false],
                ["", true],
                ["", false],
              ],
              unknown,
            ),
          )
        : null,
      unpriced.length
        ? make(
            "div",
            { class: "block" },
            make("h3", {}, "Without a price"),
            plainTable(
              "Calls without a price",
              [
                ["model", false],
                ["why", false],
                ["calls", true],
              ],
              unpriced,
            ),
          )
        : null,
      make(
        "div",
        { class: "block" },
        make("h3", {}, "Price book"),
        make(
          "dl",
          {},
          make("dt", {}, "hash"),
          make("dd", { class: "hash" }, about.price_book_hash ?? UNKNOWN),
          make("dt", {}, "last learned"),
          make("dd", {}, learned ? `${learned} UTC` : UNKNOWN),
          about.prices_as_of ? [make("dt", {}, "as believed at"), make("dd", {}, about.prices_as_of)] : null,
          make("dt", {}, "ledger version"),
          make("dd", {}, about.ledger_version ?? UNKNOWN),
        ),
        plainTable(
          "Rates by source",
          [
            ["source", false],
            ["rates", true],
          ],
          book.map((row) => [row.source, count(row.rates)]),
        ),
      ),
    ),
    folded("Assumptions", () =>
      make(
        "ul",
        {},
        ASSUMPTIONS.map((text) => make("li", {}, text)),
      ),
    ),
    folded("What each figure means", () =>
      Object.entries(rest?.meanings ?? {}).map(([name, columns]) =>
        folded(`table ${name}`, () =>
          make(
            "dl",
            { class: "meanings" },
            Object.entries(columns).flatMap(([column, text]) => [make("dt", {}, column), make("dd", {}, text)]),
          ),
        ),
      ),
    ),
    folded("The same as the terminal tells it", () => make("pre", { tabindex: "0" }, opening.head.join("\n"))),
    rest ? sqlOf(["Coverage"], rest) : null,
  );
}
