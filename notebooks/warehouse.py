"""What a warehouse tells: spend, cost per outcome, what prices may do, and queries of your own.

marimo run notebooks/warehouse.py -- --data tokenspread_data
"""

import marimo

app = marimo.App(width="medium", app_title="tokenspread")


@app.cell
def _():
    from pathlib import Path

    import duckdb
    import marimo as mo
    import polars

    return Path, duckdb, mo, polars


@app.cell
def _(Path, mo):
    given = mo.cli_args().get("data") or "tokenspread_data"
    data = mo.ui.text(value=str(Path(str(given)).absolute()), label="data folder", full_width=True)
    dimension = mo.ui.dropdown(["feature", "user", "customer", "model"], value="feature", label="by")
    mo.vstack([mo.md("# What it costs, and what if prices move"), data, dimension])
    return data, dimension


@app.cell
def _(Path, data, duckdb, mo, polars):
    link = Path(data.value) / "warehouse.duckdb"
    mo.stop(not link.exists(), mo.md(f"`{link}`: nothing is published there; run `tokenspread run LOGS...` first"))

    def ask(query, values=()):
        """Rows of one query as a polars frame; each asks what is published now, read-only."""
        with duckdb.connect(str(link), read_only=True) as warehouse:
            warehouse.execute("set TimeZone = 'UTC'")
            return polars.DataFrame(warehouse.sql(query, params=list(values)))

    return (ask,)


@app.cell
def _(ask, mo):
    (whole,) = ask("from unit_economics where dimension = 'all'").rows(named=True)
    (about,) = ask("from about").rows(named=True)

    def usd(amount):
        return "unknown" if amount is None else f"{amount:,.4f} USD"

    mo.vstack(
        [
            mo.hstack(
                [
                    mo.stat(usd(whole["cost_usd"]), label="spent"),
                    mo.stat(usd(whole["cost_per_outcome_usd"]), label="cost per outcome"),
                    mo.stat(f"{whole['unpriced_call_count']:,}", label="calls without a price, in no cost"),
                ]
            ),
            mo.md(f"{about['first_day']} to {about['last_day']} (UTC), price book `{about['price_book_hash']}`"),
        ]
    )
    return (whole,)


@app.cell
def _(ask, dimension, mo):
    spend = ask(
        """
        select name, action_count, cost_usd, cost_per_action_usd, success_count, cost_per_outcome_usd,
            low_cost_per_outcome_usd, high_cost_per_outcome_usd, unpriced_call_count
        from unit_economics
        where dimension = ?
        order by cost_usd desc nulls last
        """,
        [dimension.value],
    )
    mo.vstack([mo.md("## Spend and cost per outcome"), mo.ui.table(spend, selection=None)])
    return (spend,)


@app.cell
def _(mo):
    percent = mo.ui.slider(-60, 100, step=5, value=-30, label="all prices change by, in percent", show_value=True)
    percent
    return (percent,)


@app.cell
def _(ask, dimension, mo, percent):
    repriced = ask(
        f"from reprice({int(percent.value)}, of_dimension := ?) order by dimension = 'all', cost_usd desc nulls last",
        [dimension.value],
    )
    sunk = ", ".join(repriced.filter(survives=False)["name"]) or "nobody whose revenue is known"
    mo.vstack(
        [
            mo.md(f"## Prices {percent.value:+d}%"),
            mo.ui.table(repriced, selection=None),
            mo.plain_text(f"under water: {sunk}"),
        ]
    )
    return (repriced,)


@app.cell
def _(mo):
    query = mo.ui.code_editor(
        value="select model, sum(cost_usd) as cost_usd, count(*) as calls\nfrom calls\ngroup by model\norder by 2 desc",
        language="sql",
        label="your own query",
    ).form(submit_button_label="ask")
    query
    return (query,)


@app.cell
def _(ask, duckdb, mo, query):
    def answer(text):
        try:
            return mo.ui.table(ask(text), selection=None)
        except duckdb.Error as error:
            return mo.plain_text(str(error))

    answer(query.value) if query.value else mo.md("_tables and what they mean: `docs/queries.md`_")
    return


if __name__ == "__main__":
    app.run()
