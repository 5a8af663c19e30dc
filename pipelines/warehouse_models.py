"""Which models the published catalogue has, in build order, and what the files in `sql` say of themselves."""

import re
from collections.abc import Iterable
from pathlib import Path

SQL = Path(__file__).resolve().parent.parent / "sql"

# In build order. A view is read through to the ledger: nothing of the ledger's size is kept but the usage cube.
VIEWS = (
    "rate_cards",
    "calls",
    "outcomes",
    "actions",
    "quarantine",
    "price_book",
    "runs",
    "unmatched_rates",
    "recorded_cost_differences",
)
CUBE = "usage_cube"  # the first table: scenarios are told from it, and every other table may read them
TABLES = (
    CUBE,
    "scenario_moves",
    "scenario_rates",
    "scenario_cells",
    "scenario_activity",
    "scenario_counts",
    "contract_spend",
    "contract_terms",
    "allocated_costs",
    "costs_apart",
    "revenue",
    "tokens_per_action",
    "cost_per_outcome",
    "call_parts",
    "action_figures",
    "unit_economics",
    "dearest_actions",
    "hours",
    "restatements",
    "revenue_by_group",
    "scenario_costs",
    "scenario_comparison",
    "scenario_by_dimension",
    "scenario_swaps",
    "sensitivity",
    "exposure",
    "underwater",
    "cost_by_class",
    "price_certainty",
    "price_book_revision",
    "unpriced",
    "recorded_cost",
    "recorded_cost_gaps",
    "recorded_cost_causes",
    "files",
    "possible_duplicates",
    "guard_findings",
    "about",
)
# What only a build reads: temporary, and never published.
UNPUBLISHED = {
    "scenario_moves": "temporary table",
    "scenario_rates": "temporary table",
    "scenario_cells": "temporary view",
    "scenario_activity": "temporary table",
    "scenario_counts": "temporary table",
    "scenario_costs": "temporary table",  # apart from what is joined to it: their memory would add up
    "call_parts": "temporary table",
    "action_figures": "temporary table",
}
# Models of every dimension that are made of one after the other (SQL reads the variable `dimension`): the memory of all
# at once would add up.
BY_DIMENSION = {"action_figures": ("all", "feature", "user", "customer", "model", "day")}
# What is of the ledger's size and read by one model alone goes when that is made: 190 MB for a million calls.
GONE_AFTER = {"action_figures": "call_parts"}
PUBLISHED = tuple(name for name in VIEWS + TABLES if name not in UNPUBLISHED)
# Views that several tables and checks read: kept for the length of a build, in temporary tables that spill to disk.
KEPT_DURING_BUILD = ("outcomes", "actions", "recorded_cost_differences")
# What stays that of the whole ledger in a part of it: an outcome is its action's wherever it was told of, a file is
# read whole, and what a contract comes to is of all its calls.
OF_ALL = ("outcomes", "quarantine", "price_book", "runs", "unmatched_rates", "files", "restatements")
OF_ALL += ("contract_spend", "contract_terms", "allocated_costs")

# Functions of SQL alone, each file after those that it uses.
SCALAR_MACROS = ("macros.sql", "allocation_macros.sql", "interval_macros.sql", "bridge_macros.sql")
# Questions with parameters, `from name(...)`; they cost a build nothing, for DuckDB plans them when they are asked.
TABLE_MACROS = (
    "log_days",
    "price_changes",
    "bridge_steps",
    "bridge",
    "outcome_bridge",
    "period_economics",
    "concentration_curve",
    "concentration",
    "forecast",
    "spend_anomalies",
    "rolling_spend",
    "thin_days",
    "spend_retention",
    "swap_evidence",
    "model_swaps",
    "underwater_names",
    "reprice",
)

MEASURING = ("swap_evidence",)  # of these, what scenarios are told from: made before them


def model_sql(name: str) -> str:
    folder = "table_macros" if name in TABLE_MACROS else "models"
    return (SQL / folder / f"{name}.sql").read_text()


def model_header(name: str) -> tuple[str, dict[str, str]]:
    """Grain sentence and {column: meaning} of a model or table macro, from the comment lines at its top."""
    lines = [line[3:] for line in model_sql(name).splitlines() if line.startswith("-- ")]
    columns = (line.split(" | ", 1) for line in lines if " | " in line)
    return lines[0], dict(columns)


def signature(name: str) -> str:
    """A table macro's name with its parameters and their defaults: its file's line `-- name(...)`."""
    return next(line[3:] for line in model_sql(name).splitlines() if line.startswith(f"-- {name}("))


def scalar_macros() -> dict[str, str]:
    """What the comment above each scalar macro says of it, after its name and parameters."""
    found = {}
    for name in SCALAR_MACROS:
        text = (SQL / name).read_text("utf-8")
        for comment, macro, told in re.findall(r"((?:^--.*\n)+)create or replace macro ((\w+)\(.*?\)) as", text, re.M):
            found[told] = f"{macro}: {' '.join(line[3:] for line in comment.splitlines())}"
    return found


def models_behind(names: Iterable[str]) -> set[str]:
    """The models and table macros that any of `names` reads, directly or not, and these themselves."""
    every, found, asked = {*VIEWS, *TABLES, *TABLE_MACROS}, set[str](), set(names)
    while asked:
        found |= asked
        asked = {word for name in asked for word in words(model_sql(name)) & every} - found
    return found


def remade(names: Iterable[str], sources: set[str]) -> list[str]:
    """In build order, of `names` and what they read: every model that reads any of `sources` (sources, or models),
    these models themselves, and what these read that is not published."""
    models = models_behind(names) - {*TABLE_MACROS}
    texts = {name: re.sub(r"--.*|'[^']*'", "", model_sql(name)) for name in models}
    found = sources & texts.keys()
    while True:
        reached = sources | found
        more = {
            name for name, text in texts.items() if reached & (words(text) | set(re.findall(r"source\.(\w+)", text)))
        }
        more |= {read for name in found for read in words(texts[name]) & UNPUBLISHED.keys() & texts.keys()}
        if more <= found:
            return [name for name in VIEWS + TABLES if name in found]
        found |= more


def words(sql: str) -> set[str]:
    """The names in a SQL text but for those of its own CTEs, of the schema `source` and of what comments say."""
    code = re.sub(r"--.*|'[^']*'|source\.\w+", "", sql)
    own = set(re.findall(r"(\w+) as (?:materialized )?\($", code, re.MULTILINE))
    return set(re.findall(r"\w+", code)) - own
