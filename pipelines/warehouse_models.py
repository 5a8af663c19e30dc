"""Which models the published catalogue has, in build order, and what the files in `sql/models` say of themselves."""

from pathlib import Path

SQL = Path(__file__).resolve().parent.parent / "sql"

# In build order. A view is read through to the ledger: nothing of the ledger's size is copied but the usage cube.
VIEWS = (
    "calls",
    "outcomes",
    "actions",
    "quarantine",
    "price_book",
    "runs",
    "unmatched_rates",
    "recorded_cost_differences",
)
TABLES = (
    "usage_cube",
    "contract_spend",
    "contract_terms",
    "allocated_costs",
    "costs_apart",
    "revenue",
    "tokens_per_action",
    "cost_per_outcome",
    "unit_economics",
    "revenue_by_group",
    "scenario_comparison",
    "scenario_by_dimension",
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
# Views that several tables and checks read: kept for the length of a build, in temporary tables that spill to disk.
KEPT_DURING_BUILD = ("outcomes", "actions", "recorded_cost_differences")


def model_sql(name: str) -> str:
    return (SQL / "models" / f"{name}.sql").read_text()


def model_header(name: str) -> tuple[str, dict[str, str]]:
    """Grain sentence and {column: meaning} of a model, from the comment lines at its top."""
    lines = [line[3:] for line in model_sql(name).splitlines() if line.startswith("-- ")]
    columns = (line.split(" | ", 1) for line in lines if " | " in line)
    return lines[0], dict(columns)
