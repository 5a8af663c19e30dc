"""Contract terms and their allocation against plain Python: every unit is allocated once, and to whom it belongs."""

import re
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import warehouse, warehouse_sources
from tests.sql import builders
from transforms.schemas import CONTRACT_TERMS

ALIASES = {("gpu", "n"): ("lab", "m"), ("lab", "m-2"): ("lab", "M")}
DIMENSIONS = ("day", "provider", "model", "priced_model", "feature", "user_id", "customer_id")
RATES = {1: 3, 2: 7_000_001, None: None}  # pico-USD per token of input and of output, by card
FACTORS = {"actual": Fraction(1), "-30%": Fraction(7, 10), "+50%": Fraction(3, 2)}
CUBE = {
    **{name: pl.Date if name == "day" else pl.String for name in DIMENSIONS},
    "card_id": pl.Int64,
    "price_status": pl.String,
    "call_count": pl.Int64,
    "unknown_usage_call_count": pl.Int64,
    "untimed_call_count": pl.Int64,
    "input_tokens": pl.Int128,
    "uncached_input_tokens": pl.Int128,
    "output_tokens": pl.Int128,
    "busy_microseconds": pl.Int128,
    "time_cost_pico": pl.Int128,
}
HUGE = 85 * 10**27  # the greatest total of weights that shares are exact for


@pytest.fixture(scope="module")
def catalogue():
    """All models over no call, with two rate cards."""
    cards = [{"input_rate": RATES[number], "output_rate": RATES[number]} for number in (1, 2)]
    with builders.catalogue({"rate_cards": cards}) as connection:
        yield connection


# As plain Python says it


def parts_of(amount: int, weights: list[int]) -> list[int]:
    """`amount` by largest remainder; equals in the order in which they stand."""
    shares = [Fraction(abs(amount) * weight, sum(weights)) for weight in weights]
    parts = [share.numerator // share.denominator for share in shares]
    order = sorted(range(len(weights)), key=lambda i: (parts[i] - shares[i], i))
    for i in order[: abs(amount) - sum(parts)]:
        parts[i] += 1
    return [part if amount >= 0 else -part for part in parts]


def spend_of(cell: dict, factor: Fraction) -> Fraction | None:
    """Pico-USD that a cell costs in a scenario; scenarios leave time alone."""
    cost = None
    if cell["price_status"] == "not_billed":
        cost = Fraction(0)
    elif cell["price_status"] == "exact":
        cost = RATES[cell["card_id"]] * factor * ((cell["input_tokens"] or 0) + (cell["output_tokens"] or 0))
    known = [part for part in (cost, cell["time_cost_pico"]) if part is not None]
    return Fraction(sum(known)) if known else None


def weight_of(cell: dict, term: dict, factor: Fraction) -> Fraction | int | None:
    if term["kind"] != "time":
        return spend_of(cell, factor)
    if cell["price_status"] == "not_billed":
        return None
    if term["allocate_by"] == "busy":
        return cell["busy_microseconds"]
    told = [(cell["input_tokens"], 1), (cell["output_tokens"], term["output_weight"])]
    return (
        sum(tokens * weight for tokens, weight in told if tokens is not None)
        if any(tokens is not None for tokens, _ in told)
        else None
    )


def is_meant(term: dict, cell: dict) -> bool:
    own = cell["provider"], cell["priced_model"]
    return is_named(term, *own) or is_named(term, *ALIASES.get(own, own))


def is_named(term: dict, provider: str | None, model: str | None) -> bool:
    if term["provider"] not in (None, provider):
        return False
    if model is None or "*" not in term["model"]:
        return term["model"] == ("*" if model is None else model.lower())
    return model.lower().startswith(term["model"].removesuffix("*"))


def month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def periods_of(lines: list[dict], cells: list[dict]) -> list[tuple[date, date]]:
    if lines[0]["kind"] == "time":
        return [(lines[0]["valid_from"], lines[0]["valid_to"])]
    days = [cell["day"] for cell in cells if cell["day"]]
    months = [min(days).replace(day=1)] if days else []
    while months and month_after(months[-1]) <= max(days):
        months.append(month_after(months[-1]))
    return [(month, month_after(month)) for month in months if any(holds(line, month) for line in lines)]


def is_spanned(start: date, end: date, cells: list[dict]) -> bool:
    days = [cell["day"] for cell in cells if cell["day"]]
    return min(days) <= start and max(days) >= end - timedelta(days=1)


def holds(line: dict, month: date) -> bool:
    return (line["valid_from"] or month) <= month < (line["valid_to"] or date.max)


def discount(lines: list[dict], spend: Fraction, tokens: int) -> Fraction:
    """What graduated tiers change in a month's spend, before it is rounded."""
    name = "above_tokens" if lines[0]["above_pico"] is None else "above_pico"
    used, change = (tokens if name == "above_tokens" else spend), Fraction(0)
    tiers = sorted(lines, key=lambda line: line[name])
    for tier, following in zip(tiers, [*tiers[1:], None], strict=True):
        top = used if following is None else min(used, following[name])
        change += max(top - tier[name], 0) * (Fraction(tier["multiplier_nano"], 10**9) - 1)
    if name == "above_pico":
        return change
    return spend * change / tokens if tokens else Fraction(0)


def allocations(cells: list[dict], terms: list[dict], factor: Fraction) -> tuple[dict, dict]:
    """(adjustment and what of it is unallocated by (term_id, period), parts by (term_id, period, *dimensions))"""
    schedules = defaultdict(list)
    for line in terms:
        schedules[line["term_id"]].append(line)
    adjustments, parts = {}, defaultdict(int)
    # commitments come last: they are reckoned after the discounts
    for term_id, lines in sorted(schedules.items(), key=lambda item: (item[1][0]["kind"] == "commitment", item[0])):
        for start, end in periods_of(lines, cells):
            groups = defaultdict(list)
            for cell in cells:
                if cell["day"] and start <= cell["day"] < end and in_force(lines[0], cell, schedules, start):
                    groups[tuple(cell[name] for name in DIMENSIONS)].append(cell)
            amount = amount_of(lines, groups, factor, start, parts)
            if lines[0]["kind"] == "commitment" and not is_spanned(start, end, cells):
                adjustments[term_id, start] = None, None
                continue
            weights = {}
            for key, group in groups.items():
                told = [weight_of(cell, lines[0], factor) for cell in group]
                weight = sum(one for one in told if one is not None) * 10**6
                if weight:
                    weights[key] = int(weight)
            order = sorted(weights, key=lambda key: [(value is not None, str(value)) for value in key])
            if order:
                for key, part in zip(order, parts_of(amount, [weights[key] for key in order]), strict=True):
                    parts[term_id, lines[0]["kind"], start, *key] += part
            adjustments[term_id, start] = amount, (0 if order else amount)
    return adjustments, {key: part for key, part in parts.items() if adjustments[key[0], key[2]][0]}


def in_force(term: dict, cell: dict, schedules: dict, month: date) -> bool:
    """Whether a term is about a cell: of the volume schedules that are, the most specific one."""
    if term["kind"] != "volume_tier":
        return is_meant(term, cell)
    rivals = [
        lines[0]
        for lines in schedules.values()
        if lines[0]["kind"] == "volume_tier" and is_meant(lines[0], cell) and any(holds(line, month) for line in lines)
    ]
    rank = {
        rival["term_id"]: ("*" in rival["model"], -len(rival["model"]), rival["provider"] is None, rival["term_id"])
        for rival in rivals
    }
    return min(rank, key=rank.get, default=None) == term["term_id"]


def amount_of(lines: list[dict], groups: dict, factor: Fraction, start: date, parts: dict) -> int:
    """Pico-USD that a term comes to in a period: rounded once, a half to the even neighbour."""
    cells = [cell for group in groups.values() for cell in group]
    spend = sum((spend_of(cell, factor) or Fraction(0) for cell in cells), Fraction(0))
    billed = [cell for cell in cells if cell["price_status"] != "not_billed"]
    tokens = sum((cell["input_tokens"] or 0) + (cell["output_tokens"] or 0) for cell in billed)
    if lines[0]["kind"] == "time":
        return lines[0]["amount_pico"]
    if lines[0]["kind"] == "volume_tier":
        return round(discount([line for line in lines if holds(line, start)], spend, tokens))
    (line,) = lines
    discounts = sum(part for key, part in parts.items() if key[1] == "volume_tier" and key[3:] in groups)
    return max(0, round(line["amount_pico"] - discounts - spend))


def in_scenario(terms: list[dict], scenario: str) -> list[dict]:
    """A bill for time is told once: no scenario moves it."""
    return [term for term in terms if scenario == "actual" or term["kind"] != "time"]


# As SQL says it


def tables(connection, cells: list[dict], terms: list[dict]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """contract_terms and allocated_costs over a usage cube of `cells`; nothing breaks the check."""
    names = ", ".join(CUBE)
    dropped = "drop table if exists source.cells; drop table source.contract_terms; drop table source.price_names"
    connection.execute(f"delete from usage_cube; {dropped}")
    warehouse.load_table(connection, "cells", pl.DataFrame(cells, schema=CUBE, orient="row"), CUBE)
    connection.execute(f"insert into usage_cube ({names}) select {names} from source.cells")
    names = [
        {"provider": provider, "model": model, "as_provider": name[0], "as_model": name[1]}
        for (provider, model), name in ALIASES.items()
    ]
    schema = warehouse_sources.PRICE_NAMES
    frame = pl.DataFrame([dict.fromkeys(schema) | row for row in names], schema=schema, orient="row")
    warehouse.load_table(connection, "price_names", frame, schema)
    rows = pl.DataFrame(terms, schema=CONTRACT_TERMS, orient="row")
    warehouse.load_table(connection, "contract_terms", rows, CONTRACT_TERMS)
    for name in ("contract_spend", "contract_terms", "allocated_costs"):
        connection.execute(f"create or replace table {name} as {warehouse.model_sql(name)}")
    check = (warehouse.SQL / "checks" / "allocations_add_up.sql").read_text()
    assert warehouse.frame_of(connection, check).is_empty()
    return tuple(
        warehouse.frame_of(connection, f"select * from {name}") for name in ("contract_terms", "allocated_costs")
    )


weights = st.lists(st.integers(0, HUGE // 8), min_size=1, max_size=8).filter(any)


@example(10, [1, 1, 1])
@given(st.integers(-(10**27) + 1, 10**27 - 1), weights)
def test_largest_remainder_is_exact(catalogue, amount, weights):
    weights = [weight for weight in weights if weight]
    rows = ", ".join(f"({place}, {weight}::hugeint)" for place, weight in reversed([*enumerate(weights)]))
    found = warehouse.frame_of(
        catalogue,
        f"with shares as (select place, share_quotient(abs({amount}::hugeint), weight, {sum(weights)}) as quotient, "
        f"share_remainder(abs({amount}::hugeint), weight, {sum(weights)}) as remainder "
        f"from (values {rows}) as weighted (place, weight)) "
        f"select largest_remainder({amount}::hugeint, quotient, remainder, true, place) as part "
        "from shares order by place",
    )["part"].to_list()
    assert found == parts_of(amount, weights)
    assert sum(found) == amount


@example(10**27 - 1, HUGE, HUGE)
@example(10**27 - 1, HUGE - 1, HUGE)
@example(HUGE % 10**18 + 10**26, HUGE - 10**9, HUGE)
@given(st.integers(0, 10**27 - 1), st.integers(0, HUGE), st.integers(1, HUGE))
def test_a_share_is_rounded_half_even(catalogue, amount, one, other):
    weight, total = min(one, other), max(one, other)
    query = f"select share_half_even({amount}::hugeint, {weight}::hugeint, {total}::hugeint) as share"
    assert warehouse.frame_of(catalogue, query)["share"].to_list() == [round(Fraction(amount * weight, total))]


@pytest.mark.parametrize(("weight", "share"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_a_half_goes_to_the_even_neighbour(catalogue, weight, share):
    query = f"select share_half_even(4::hugeint, {weight}::hugeint, 8::hugeint) as share"
    assert warehouse.frame_of(catalogue, query)["share"].to_list() == [share]


texts = st.text("ab*%_\\\\.\n'", max_size=6)


@given(st.none() | texts, texts)
def test_a_pattern_speaks_of_the_models_that_its_stars_leave_open(catalogue, model, pattern):
    meant = pattern == "*"
    if model is not None:
        meant = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), model, re.DOTALL) is not None
    told = "null" if model is None else warehouse_sources.literal(model)
    query = f"select is_spoken_of({told}, upper({warehouse_sources.literal(pattern)})) as meant"
    assert warehouse.frame_of(catalogue, query)["meant"].to_list() == [meant]


def test_what_is_too_much_for_128_bits_is_an_error_and_no_figure(catalogue):
    # just above the bound that the macros state
    query = f"select share_quotient({10**27 - 1}::hugeint, {10**29 - 2}::hugeint, {10**29 - 1}::hugeint) as share"
    with pytest.raises(Exception, match="Overflow"):
        warehouse.frame_of(catalogue, query)


days = st.none() | st.dates(date(2026, 1, 30), date(2026, 3, 2))
amounts = st.integers(0, 10**6) | st.integers(0, 10**13)
cells = st.fixed_dictionaries(
    {
        "day": days,
        "provider": st.sampled_from(["lab", "gpu", None]),
        "model": st.sampled_from(["m", "m-2", None]),
        "feature": st.sampled_from(["a", "b", None]),
        "user_id": st.sampled_from(["ana", None]),
        "customer_id": st.just(None),
        "priced_model": st.sampled_from(["m", "m-2", "n", None]),
        "card_id": st.sampled_from([1, 2]),
        "price_status": st.sampled_from(["exact", "exact", "unknown_model", "usage_unknown", "not_billed"]),
        "call_count": st.integers(1, 5),
        "unknown_usage_call_count": st.just(0),
        "untimed_call_count": st.just(0),
        "input_tokens": st.none() | amounts,
        "output_tokens": st.none() | amounts,
        "busy_microseconds": st.none() | amounts,
        "time_cost_pico": st.none() | amounts,
    }
).map(
    lambda cell: (
        cell
        | {
            "uncached_input_tokens": cell["input_tokens"],
            # as the usage cube has it: what is not billed or not known is on no card
            "card_id": cell["card_id"] if cell["price_status"] == "exact" else None,
        }
    )
)

months = st.sampled_from([None, None, date(2026, 2, 1), date(2026, 3, 1)])
scopes = st.fixed_dictionaries(
    {"provider": st.sampled_from([None, "lab", "gpu"]), "model": st.sampled_from(["*", "m*", "m", "m-2"])}
)


@st.composite
def contracts(draw) -> list[dict]:
    lines = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        kind = draw(st.sampled_from(["volume_tier", "volume_tier", "commitment", "time"]))
        term = dict.fromkeys(CONTRACT_TERMS) | draw(scopes) | {"term_id": number, "kind": kind}
        if kind == "volume_tier":
            name = draw(st.sampled_from(["above_pico", "above_tokens"]))
            for above in draw(st.sets(st.integers(0, 10**14), min_size=1, max_size=3)):
                change = draw(st.integers(1, 2 * 10**9))
                lines.append(term | {name: above, "multiplier_nano": change, "valid_from": draw(months)})
        elif kind == "commitment":
            lines.append(term | {"amount_pico": draw(st.integers(0, 10**16)), "valid_to": draw(months)})
        else:
            start = draw(st.dates(date(2026, 1, 28), date(2026, 3, 5)))
            by = draw(st.sampled_from([("busy", None), ("tokens", 4)]))
            term |= {"allocate_by": by[0], "output_weight": by[1], "amount_pico": draw(amounts)}
            lines.append(term | {"valid_from": start, "valid_to": start + timedelta(days=draw(st.integers(1, 40)))})
    return [line | {"line_number": number} for number, line in enumerate(lines, start=2)]


SLOW = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@SLOW
@given(st.lists(cells, min_size=1, max_size=12), contracts(), st.randoms(use_true_random=False))
def test_terms_are_what_plain_python_says_in_any_order_of_the_cells(catalogue, cells, terms, random):
    agreed, parts = tables(catalogue, cells, terms)
    for scenario, factor in FACTORS.items():
        adjustments, expected = allocations(cells, in_scenario(terms, scenario), factor)
        rows = agreed.filter(pl.col("period_start").is_not_null(), scenario=scenario).rows(named=True)
        found = {
            (row["term_id"], row["period_start"]): (row["adjustment_pico"], row["unallocated_pico"]) for row in rows
        }
        assert found == adjustments
        rows = parts.filter(scenario=scenario).rows(named=True)
        keys = ("term_id", "kind", "period_start", *DIMENSIONS)
        found = {tuple(row[name] for name in keys): row["allocated_pico"] for row in rows}
        assert len(found) == len(rows)
        assert found == expected
        for (term_id, start), (amount, unallocated) in adjustments.items():
            allocated = [part for key, part in found.items() if (key[0], key[2]) == (term_id, start)]
            if amount is None:
                assert not allocated
                continue
            assert sum(allocated) + unallocated == amount
            assert all(part * amount >= 0 for part in allocated), "a part has the sign of the whole"
    shuffled = random.sample(cells, len(cells))
    for before, after in zip((agreed, parts), tables(catalogue, shuffled, terms), strict=True):
        assert sorted(before.rows(), key=repr) == sorted(after.rows(), key=repr)


def test_without_a_contract_nothing_is_reckoned(catalogue):
    cell = dict.fromkeys(CUBE) | {"day": date(2026, 3, 1), "card_id": 1, "price_status": "exact", "call_count": 1}
    for frame in tables(catalogue, [cell], []):
        assert frame.is_empty()
