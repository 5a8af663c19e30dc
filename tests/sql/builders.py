"""Rows with defaults, and a catalogue in memory made of them by the code that makes the real one."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import duckdb
import polars as pl

from pipelines import warehouse, warehouse_sources
from transforms import scenario_schemas, schemas

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCENARIOS = {"actual": "1", "-30%": "7/10", "+50%": "3/2"}
USD = 10**12


def ledger_row(number: int, **given) -> dict:
    """Call `number` (from 1): of its own action, 100 input and 10 output tokens of openai's `model-a` at NOON."""
    row = dict.fromkeys(schemas.LEDGER)
    row |= {"key_hi": 0, "key_lo": number, "content_id": 1, "line_number": number, "part": 0}
    row |= {"shape": "tokenspread", "provider": "openai", "model": "model-a", "called_at": NOON, "status": "success"}
    row |= {"response_id": f"response-{number}", "action_id": f"action-{number}"}
    row |= {"input_tokens": 100, "output_tokens": 10} | given
    row["called_at"] = instant(row["called_at"])
    return row | {"day": row["called_at"] and row["called_at"].date()}


def rate_card(number: int, **given) -> dict:
    """Card `number` of openai's `model-a`, always valid: 2 USD per million input tokens, 10 output, 0.2 cache reads."""
    row = dict.fromkeys(schemas.RATE_CARDS)
    row |= {"card_id": number, "provider": "openai", "model": "model-a", "price_status": "exact"}
    row |= {"week_second_from": 0, "week_second_to": 604800, "context_above": 0}
    row |= {"input_rate": 2_000_000, "cache_read_rate": 200_000, "output_rate": 10_000_000}
    row |= given
    return row | {bound: instant(row[bound]) for bound in ("valid_from", "valid_to")}


def outcome_row(number: int, **given) -> dict:
    """Telling `number`: action `number` led to a success named `resolved`, at no told instant."""
    row = dict.fromkeys(schemas.OUTCOMES)
    row |= {"content_id": 2, "line_number": number, "subject_id": f"action-{number}", "outcome": "resolved"}
    row |= {"is_success": True} | given
    return row | {"occurred_at": instant(row["occurred_at"])}


def revenue_row(number: int, **given) -> dict:
    return dict.fromkeys(schemas.REVENUE) | given


def quarantine_row(number: int, **given) -> dict:
    return (
        dict.fromkeys(schemas.QUARANTINE) | {"content_id": 1, "line_number": number, "reason": "not a record"} | given
    )


def price_row(number: int, **given) -> dict:
    row = dict.fromkeys(schemas.PRICE_BOOK)
    row |= {"provider": "openai", "model": "model-a", "token_class": "input", "context_above": 0, "recorded_at": NOON}
    row |= {"week_second_from": 0, "week_second_to": 604800, "rate_pico": 2_000_000, "price_status": "exact"}
    row |= {"source": "contract"} | given
    return row | {name: instant(row[name]) for name in ("valid_from", "valid_to", "recorded_at", "superseded_at")}


def price_name(number: int, **given) -> dict:
    """A ref of openai's `model-a` that is called so where prices are asked for."""
    row = dict.fromkeys(warehouse_sources.PRICE_NAMES) | {"provider": "openai", "model": "model-a"} | given
    return row | {f"as_{name}": row[f"as_{name}"] or row[name] for name in ("provider", "model")}


def unmatched_rate(number: int, **given) -> dict:
    row = price_row(number, **{"model": f"model-{number}"} | given)
    return {name: row.get(name) for name in schemas.PRICE_RULES}


def book_rate(number: int, **given) -> dict:
    """What the book "believed_then" says on card `number`: half of the card's rates."""
    row = dict.fromkeys(schemas.BOOK_RATES)
    row |= {"book": "believed_then", "card_id": number, "price_status": "exact"}
    return row | {"input_rate": 1_000_000, "cache_read_rate": 100_000, "output_rate": 5_000_000} | given


def contract_term(number: int, **given) -> dict:
    """Line `number` + 1 of a price file: a term of its own, about every call."""
    row = dict.fromkeys(schemas.CONTRACT_TERMS) | {"term_id": number, "model": "*", "line_number": number + 1} | given
    return row | {bound: day(row[bound]) for bound in ("valid_from", "valid_to")}


def run_row(number: int, **given) -> dict:
    return dict.fromkeys(warehouse.RUNS) | {"run_id": f"run-{number}", "kind": "ingest", "status": "ok"} | given


def published_day(number: int, **given) -> dict:
    """What was published before of 1 March: one call of ledger_row, at the prices of rate_card."""
    row = dict.fromkeys(warehouse_sources.PUBLISHED_DAYS) | {"day": "2026-03-01", "call_count": 1}
    row |= {"input_tokens": 100, "output_tokens": 10, "cost_usd": "0.0003", "unpriced_call_count": 0}
    row |= {"labelled_count": 0, "success_count": 0} | given
    money = {name: row[name] and Decimal(row[name]) for name in row if name.endswith("_usd")}
    return row | money | {"day": day(row["day"])}


def scenario_scope(number: int, **given) -> dict:
    """What the first scenario after actual does with the calls of openai's `model-a`: it leaves them as they are."""
    row = dict.fromkeys(scenario_schemas.SCENARIO_SCOPES) | {"provider": "openai", "model": "model-a"}
    row |= {"scenario_order": 1, "bound": "exact", "variant": 0, "is_lost": False, "output_ratio_nano": 10**9}
    row |= {"is_moved": any(name.startswith("to_") for name in given)}
    row |= {"context_ratio_nano": 10**9, "activity_nano": 10**9} | given
    row |= {f"to_{name}": given.get(f"to_{name}", row[name]) for name in schemas.PRICE_REFS}
    return row | {"day": day(row["day"])}


def scenario_rates(cards: pl.DataFrame, scenarios: dict[str, str | dict]) -> pl.DataFrame:
    """SCENARIO_RATES: every rate of `cards` times a fraction, for each named scenario; the first is actual. A scoped
    one is a table of its flags in SCENARIOS, and of its `variants`: a fraction for each."""
    rows = []
    for order, (scenario, told) in enumerate(scenarios.items()):
        factors = told["variants"] if isinstance(told, dict) else [told]
        for variant, factor in enumerate(factors):
            for card in cards.iter_rows(named=True):
                row = {"scenario": scenario, "scenario_order": order, "variant": variant, "card_id": card["card_id"]}
                row["adds_parts"] = False
                for token_class in schemas.TOKEN_CLASSES:
                    rate = card[f"{token_class}_rate"]
                    row[f"{token_class}_rate"] = None if rate is None else int(rate * 10**6 * Fraction(factor))
                rows.append(row)
    return pl.DataFrame(rows, schema=scenario_schemas.SCENARIO_RATES, orient="row")


def scenarios_table(scenarios: dict[str, str | dict]) -> pl.DataFrame:
    """SCENARIOS of these names, in order; those with a table are scoped, with its flags."""
    rows = []
    for order, (name, told) in enumerate(scenarios.items()):
        row = {column: False for column, dtype in scenario_schemas.SCENARIOS.items() if dtype == pl.Boolean}
        row |= {"scenario": name, "scenario_order": order, "reason": None, "is_scoped": isinstance(told, dict)}
        rows.append(row | {key: told[key] for key in told if key in row} if isinstance(told, dict) else row)
    return pl.DataFrame(rows, schema=scenario_schemas.SCENARIOS)


def contents_of(ledger: pl.DataFrame, quarantine: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """One log file for each content_id that any row names, whose lines balance."""
    rows = []
    for content_id in sorted({*ledger["content_id"], *quarantine["content_id"]}):
        call_lines = ledger.filter(content_id=content_id)["line_number"].n_unique()
        quarantined = quarantine.filter(content_id=content_id).height
        rows.append(content_row(content_id, "calls", call_lines, quarantined))
    for content_id in sorted({*outcomes["content_id"]} - {row["content_id"] for row in rows}):
        lines = outcomes.filter(content_id=content_id)["line_number"].n_unique()
        rows.append(content_row(content_id, "outcomes", lines, 0))
    return pl.DataFrame(rows, schema=warehouse.CONTENTS, orient="row")


def price_names_of(ledger: pl.DataFrame) -> pl.DataFrame:
    """Each distinct ref of the ledger under its own name: no alias."""
    served = pl.coalesce("model", "model_requested")
    refs = ledger.with_columns(model=served).select(list(schemas.PRICE_REFS)).unique(maintain_order=True)
    return refs.with_columns(as_provider="provider", as_model="model")


def content_row(content_id: int, kind: str, call_lines: int, quarantined: int) -> dict:
    row = dict.fromkeys(warehouse.CONTENTS)
    row |= {"content_id": content_id, "path": f"logs/{content_id}.jsonl", "kind": kind, "shape": "tokenspread"}
    row |= {"line_count": call_lines + quarantined, "call_line_count": call_lines, "other_line_count": 0}
    return row | {"blank_line_count": 0, "quarantined_line_count": quarantined, "pruned_line_count": 0}


BUILDERS = {
    "ledger": (ledger_row, schemas.LEDGER),
    "outcomes": (outcome_row, schemas.OUTCOMES),
    "quarantine": (quarantine_row, schemas.QUARANTINE),
    "rate_cards": (rate_card, schemas.RATE_CARDS),
    "revenue": (revenue_row, schemas.REVENUE),
    "price_names": (price_name, warehouse_sources.PRICE_NAMES),
    "price_book": (price_row, schemas.PRICE_BOOK),
    "unmatched_rates": (unmatched_rate, schemas.PRICE_RULES),
    "price_rules": (unmatched_rate, schemas.PRICE_RULES),
    "book_rates": (book_rate, schemas.BOOK_RATES),
    "contract_terms": (contract_term, schemas.CONTRACT_TERMS),
    "runs": (run_row, warehouse.RUNS),
    "published_days": (published_day, warehouse_sources.PUBLISHED_DAYS),
    "scenario_scopes": (scenario_scope, scenario_schemas.SCENARIO_SCOPES),
}


def sources(given: dict) -> dict[str, pl.DataFrame]:
    """Every source table: the rows of `given` by table, filled up with defaults; by default one rate card."""
    given = {"rate_cards": [{}]} | given
    frames = {}
    for name, (make_row, schema) in BUILDERS.items():
        rows = [make_row(number, **row) for number, row in enumerate(given.get(name, []), start=1)]
        frames[name] = pl.DataFrame(rows, schema=schema, orient="row")
    scenarios = given.get("scenarios", SCENARIOS)
    frames["scenario_rates"] = scenario_rates(frames["rate_cards"], scenarios)
    frames["scenarios"] = scenarios_table(scenarios)
    frames["scenario_swaps"] = pl.DataFrame(given.get("scenario_swaps", []), schema=scenario_schemas.SCENARIO_SWAPS)
    left = [{"scenario_order": order, "term_id": term} for order, term in given.get("left_terms", [])]
    frames["left_terms"] = pl.DataFrame(left, schema=scenario_schemas.LEFT_TERMS)
    frames["context_bounds"] = pl.DataFrame({"context_above": [0]}, schema=warehouse.TABLE_SOURCES["context_bounds"])
    if "contents" in given:
        rows = [dict.fromkeys(warehouse.CONTENTS) | {"pruned_line_count": 0} | row for row in given["contents"]]
        frames["contents"] = pl.DataFrame(rows, schema=warehouse.CONTENTS, orient="row")
    else:
        frames["contents"] = contents_of(frames["ledger"], frames["quarantine"], frames["outcomes"])
    if "price_names" not in given:
        frames["price_names"] = price_names_of(frames["ledger"])
    settings = {"price_book_hash": "0123456789abcdef"} | given.get("settings", {})
    told = {"key": list(settings), "value": list(settings.values())}
    frames["settings"] = pl.DataFrame(told, schema=warehouse.TABLE_SOURCES["settings"])
    return frames


def catalogue(given: dict, *names: str) -> duckdb.DuckDBPyConnection:
    """A database in memory with all models over the sources of `given`, or with `names` and what they read."""
    connection = warehouse.connect()
    connection.execute("create schema source")
    for name, frame in sources(given).items():
        warehouse.load_table(connection, name, frame, dict(frame.schema))
    warehouse.make_cube(connection, names or None)
    warehouse.make_models(connection, names or None)
    return connection


def day(value: str | date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def instant(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
