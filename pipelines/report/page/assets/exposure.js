// What the cost hangs on: sensitivity and concentration.
const KINDS = { provider: "provider", model: "model", token_class: "token class" };

function sensitivity() {
  const { tornado, charts } = page.rest;
  if (!tornado.length)
    return section(
      "sensitivity",
      "Sensitivity",
      null,
      make("p", { class: "note" }, "No call has a price: no price moves anything."),
    );
  const byCost = (one, other) => (BigInt(one.cost) < BigInt(other.cost) ? 1 : -1);
  const drivers = [...tornado].sort(byCost).slice(0, 14);
  const effect = (row, change) => (BigInt(row.cost) * BigInt(change)) / 100n;
  const values = drivers.flatMap((row) =>
    [-30, 50].map((change) => ({
      label: row.kind === "model" ? row.driver : `${row.driver} (${KINDS[row.kind]})`,
      driver: row.driver,
      kind: change > 0 ? "up" : "down",
      change: percent(change),
      usd: numberOf(effect(row, change)),
      USD: money(effect(row, change)),
    })),
  );
  const most = drivers[0];
  return section(
    "sensitivity",
    "Sensitivity",
    "What the cost of all changes by when the prices of one provider, model or token class alone " +
      "fall by 30% (left) or rise by 50% (right).",
    chart({
      title: "What the cost rides on",
      about: `The most on the ${KINDS[most.kind]} ${most.driver}: ${share(most.share)} of the cost.`,
      spec: { ...charts.tornado, height: ROW_HEIGHT * drivers.length },
      values: { drivers: values },
      table: () =>
        plainTable(
          "What the cost rides on",
          [
            ["", false],
            ["kind", false],
            ["cost", true],
            ["share", true],
            ["at -30%", true],
            ["at +50%", true],
            ["break-even", true],
          ],
          tornado.map((row) => [
            row.driver,
            KINDS[row.kind],
            money(BigInt(row.cost)),
            share(row.share),
            money(effect(row, -30)),
            money(effect(row, 50)),
            share(row.break_even, true),
          ]),
        ),
    }),
    sqlOf(["Sensitivity"], page.rest),
  );
}

const PLURALS = { user: "users", feature: "features", model: "models" };

function concentration() {
  const { concentration: told, charts } = page.rest;
  if (!told.length)
    return section(
      "concentration",
      "Concentration",
      null,
      make("p", { class: "note" }, "No known user, feature or model has a cost."),
    );
  const values = told.flatMap((row) =>
    [[0, 0], ...row.points].map(([names, cost]) => ({ of: PLURALS[row.dimension], names, cost })),
  );
  const words = told.map(
    (row) =>
      `${count(row.for_80_percent)} of ${counted(row.names, row.dimension)} ` +
      `${row.for_80_percent === 1 ? "is" : "are"} 80% of the cost`,
  );
  const lines = legendOfLines(told.map((row) => PLURALS[row.dimension]));
  return section(
    "concentration",
    "Concentration",
    "How much of the cost a few names are: the further a line bends from the thin one, where all " +
      "cost the same, the fewer.",
    chart({
      title: "Share of the cost, the dearest first",
      about: `${words.join("; ")}.`,
      spec: charts.concentration,
      values: { curves: values },
      legend: lines,
      table: () =>
        told.map((row) =>
          make(
            "div",
            {},
            make(
              "h4",
              {},
              `${PLURALS[row.dimension]}: Gini index ${row.gini}, the dearest ${share(row.top_1)}, the ten ` +
                `dearest ${share(row.top_10)}, the dearest percent ${share(row.top_percent)}`,
            ),
            plainTable(
              `Dearest ${PLURALS[row.dimension]}`,
              [
                ["", false],
                ["rank", true],
                ["USD", true],
              ],
              row.top.map(([rank, name, usd]) => [name, rank, usdText(usd)]),
            ),
          ),
        ),
    }),
    sqlOf(["Concentration"], page.rest),
  );
}

function legendOfLines(names) {
  const places = { users: 1, features: 2, models: 3 };
  return make(
    "ul",
    { class: "legend" },
    names.map((name) =>
      make("li", {}, make("span", { class: `stroke s${places[name]}`, "aria-hidden": "true" }), name),
    ),
  );
}
