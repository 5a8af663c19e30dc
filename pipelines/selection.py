"""A part of the calls: those of some days, and of some features, users, customers, models, ...; every figure of them.

The published sources stand in a room in memory, but for the calls, of which it has the part alone; the same models are
made over them. An action that has calls on both sides counts with those within. Outcomes, prices, scenarios, files and
quarantined lines are those of the whole ledger.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipelines import sandbox, warehouse
from pipelines.errors import UserError
from pipelines.options import KEYS
from pipelines.settings import Settings, date_of
from pipelines.users import HASHED, Users
from pipelines.warehouse_sources import Ask, literal
from transforms.scenarios import names

UNATTRIBUTED = "unattributed"
# Keys as scenarios have them, and the ledger's column.
COLUMNS = {key: f"{key}_id" if key in ("user", "customer") else key for key in KEYS}
ANY_CASE = ("provider", "service_tier", "region", "is_batch")
PAYING = ("feature", "user", "customer")  # what revenue is told by, beside days
ALLOCATED = (*PAYING, "provider", "model")  # what a contract's costs apart are told by, beside days
MOST_NAMES = 8
LEDGER = """
select * exclude (priced_model)
from (select *, coalesce(model, model_requested) as priced_model from {below}.source.ledger) as ledger
where {within}
"""
MODELS = """
select distinct cube.provider, cube.model, cube.priced_model, names.as_provider, names.as_model
from usage_cube as cube
left join source.price_names as names
    on cube.provider is not distinct from names.provider and cube.priced_model is not distinct from names.model
order by all
"""


@dataclass(frozen=True)
class Selection:
    """Calls of whole UTC days, both included, whose values are among those of each key; null: not bounded."""

    since: date | None = None
    until: date | None = None
    where: tuple[tuple[str, str], ...] = ()

    @property
    def is_all(self) -> bool:
        return self == Selection()


class Found(NamedTuple):
    """What a call must be to have a value of a key."""

    key: str
    condition: str
    names: tuple[str, ...] = ()  # as revenue has them


def of(since: str | None, until: str | None, where: Sequence[str] | None) -> Selection:
    """The selection that the options name. Raises UserError."""
    days = [date_of(text, f"--{name}") if text else None for name, text in (("since", since), ("until", until))]
    if all(days) and days[0] > days[1]:
        raise UserError(f"--since {since} is after --until {until}; swap them")
    return Selection(*days, tuple(map(_told, where or ())))


def _told(text: str) -> tuple[str, str]:
    """All behind the first = is the value; quotation marks around it, as a scenario has them, are not of it."""
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or key not in COLUMNS or not value:
        raise UserError(f"--where {text}: write KEY=VALUE, such as feature=reply; keys are {', '.join(COLUMNS)}")
    return key, value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


@contextmanager
def asked(settings: Settings, selection: Selection, *models: str) -> Iterator[tuple[Ask, dict[str, Any] | None]]:
    """Queries to the published tables, and None; of a part of the calls, to its `models`, and what the part is of, as
    `entered` tells it. Raises UserError."""
    link = settings.data / "warehouse.duckdb"
    if selection.is_all:
        with sandbox.asking(link) as ask:
            yield ask, None
        return
    sandbox.check_published(link)
    with told_of(link), sandbox.connect_sandboxed(link) as connection:
        part = entered(connection, settings, selection, models, "warehouse")
        yield partial(warehouse.frame_of, connection), part


@contextmanager
def told_of(link: Path) -> Iterator[None]:
    """What DuckDB says against a catalogue, as a UserError."""
    try:
        yield
    except warehouse.ERRORS as error:  # a warehouse that another version published, or whose Parquet is gone
        fact = str(error).splitlines()[0]
        raise UserError(f"{link}: cannot be asked ({fact}); run `tokenspread build` anew") from None


def entered(
    connection: sandbox.Connection, settings: Settings, selection: Selection, models: Sequence[str], below: str
) -> dict[str, Any]:
    """Make `models` over the part alone, above the database `below`, and go there. Returns since, until, where as they
    were understood; call_count of of_call_count; undated_call_count, which days leave out; left_out_revenue_count, of
    amounts that are for more than the part; are_terms_left_out. Raises UserError for an empty part."""
    ask = partial(warehouse.frame_of, connection)
    first_day, last_day = ask("select first_day, last_day from about").row(0)
    found = [_found(key, value, ask, settings) for key, value in selection.where]
    conditions, days = _any_of_a_key(found), _days(selection)
    whole = ask("select count(*)::bigint as n from source.ledger").item()
    undated = f"select count(*)::bigint as n from ({LEDGER}) as undated where day is null"
    undated_count = ask(undated.format(below=below, within=_all(conditions))).item() if days else 0
    is_told = all(one.key in ALLOCATED for one in found)
    are_terms_left_out = not is_told and ask("select exists (from allocated_costs) as n").item()
    inside = _revenue_inside(selection, found, (first_day, last_day))
    left_out = ask(f"select count(*) filter (where not ({inside}))::bigint as n from revenue where is_counted").item()
    within = _all([*days, *conditions])
    shown = {
        "source.ledger": LEDGER.format(below=below, within=within),
        "source.revenue": f"from {below}.source.revenue where {inside}",
        # What a contract comes to is of all its calls; these bear their part of it, and nothing of what no call bears.
        "allocated_costs": f"from {below}.main.allocated_costs where {within if is_told else 'false'}",
        "contract_terms": "select * replace (unallocated_pico * 0 as unallocated_pico) "
        f"from {below}.main.contract_terms",
    }
    sandbox.open_part(connection, below, shown, models)
    call_count = ask("select count(*)::bigint as n from source.ledger").item()
    if not call_count:
        span = f"the log has {first_day} to {last_day}" if first_day else "no call has a day"
        each = ", and calls of each name by itself" if selection.where else ""
        raise UserError(f"{', '.join(in_words(selection))}: no call is all of that; {span}{each}")
    return {
        "since": selection.since, "until": selection.until,
        "where": [f"{key}={value}" for key, value in selection.where], "call_count": call_count,
        "of_call_count": whole, "undated_call_count": undated_count, "left_out_revenue_count": left_out,
        "are_terms_left_out": bool(are_terms_left_out),
    }  # fmt: skip


def in_words(selection: Selection) -> list[str]:
    bounds = [("since", selection.since), ("until", selection.until)]
    return [*(f"{word} {day}" for word, day in bounds if day), *(f"{key}={value}" for key, value in selection.where)]


def _all(conditions: Sequence[str]) -> str:
    return " and ".join(f"({text})" for text in conditions) or "true"


def _days(selection: Selection) -> list[str]:
    since = [f"day >= date '{selection.since}'"] if selection.since else []
    return since + ([f"day <= date '{selection.until}'"] if selection.until else [])


def _any_of_a_key(found: Sequence[Found]) -> list[str]:
    keys = dict.fromkeys(one.key for one in found)
    return [" or ".join(one.condition for one in found if one.key == key) for key in keys]


def _found(key: str, value: str, ask: Ask, settings: Settings) -> Found:
    """Raises UserError for a value that no call has."""
    if key == "model":
        return _model(value, ask)
    column = COLUMNS[key]
    known = ask(f"select {column}::varchar as n from usage_cube group by 1 order by sum(cost_pico) desc nulls last, 1")
    values = known["n"].to_list()
    wanted = {value}
    if key == "user":
        wanted |= {Users(settings).called(value)} if any(name and HASHED.fullmatch(name) for name in values) else set()
    found = [name for name in values if name in wanted]
    found = found or [name for name in values if key in ANY_CASE and name and name.lower() == value.lower()]
    told = [f"{column}::varchar in ({', '.join(map(literal, found))})"] if found else []
    told += [f"{column} is null"] if value == UNATTRIBUTED and None in values else []
    if not told:
        raise _unknown(key, value, [name or UNATTRIBUTED for name in values])
    return Found(key, " or ".join(told), (*found, value))


def _model(value: str, ask: Ask) -> Found:
    """A model as a report names it, else as a scenario does: alone or after its provider, with * for any text."""
    rows = ask(MODELS).rows()
    reported = [(row, ["/".join(filter(None, (row[0], row[1] or "unknown"))), row[1]]) for row in rows]
    found = [row for row, told in reported if value in told]
    found = found or [
        row for row in rows if names.is_named(value, [pair for pair in (row[0:3:2], row[3:5]) if pair[1]])
    ]
    if not found:
        raise _unknown("model", value, list(dict.fromkeys(told[0] for _, told in reported)))
    columns = ("provider", "model", "priced_model")
    each = (" and ".join(map(_is, columns, row)) for row in dict.fromkeys(row[:3] for row in found))
    return Found("model", " or ".join(f"({text})" for text in each))


def _is(column: str, value: str | None) -> str:
    return f"{column} is null" if value is None else f"{column} = {literal(value)}"


def _unknown(key: str, value: str, known: list[str]) -> UserError:
    near = difflib.get_close_matches(value, known, MOST_NAMES, 0.5)
    told = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(known[:MOST_NAMES])}"
    if key == "user" and any(map(HASHED.fullmatch, known)):
        told = "users are kept under hashes here: name one by the hash, or say hash_users = true under [privacy] with "
        told += "the key in TOKENSPREAD_USER_KEY"
    more = "" if near or len(known) <= MOST_NAMES else f" and {len(known) - MOST_NAMES:,} more"
    return UserError(f"--where {key}={value}: no call has that {key}; {told}{more}")


def _revenue_inside(selection: Selection, found: Sequence[Found], logged: tuple[date | None, date | None]) -> str:
    """What an amount of revenue must be to be wholly of these calls: it is not split, since that would be a guess. A
    bound that no dated call lies beyond is none."""
    if not all(one.key in PAYING for one in found):
        return "false"
    is_earned = "revenue_per_success_pico is not null"  # by these calls' actions, whatever the days and the names
    named: dict[str, list[str]] = {}
    for one in found:
        named.setdefault(COLUMNS[one.key], []).extend(map(literal, one.names))
    told = [f"{is_earned} or {column} in ({', '.join(values)})" for column, values in named.items()]
    first_day, last_day = logged
    of_period = []
    if selection.since and first_day and selection.since > first_day:
        of_period.append(f"period_start >= date '{selection.since}'")
    if selection.until and last_day and selection.until < last_day:
        of_period.append(f"period_end <= date '{selection.until}' + 1")
    told += [f"{is_earned} or ({' and '.join(of_period)})"] if of_period else []
    return " and ".join(f"coalesce({text}, false)" for text in told) or "true"
