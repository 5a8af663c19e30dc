"""The corridor of what is not to be kept: calls of days that are over, and persons.

Each is one commit, then a build, which removes all that still holds what was taken out. Killed in between, it is
completed by the next build, nightly, prune or forget-user.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipelines import build_inputs, erasure, forgetting, ledger, night_book, proof, pruning, stages
from pipelines.errors import UserError
from pipelines.forgetting import Found
from pipelines.ledger import Ledger
from pipelines.log_files import OWN_FOLDERS
from pipelines.proof import Proof
from pipelines.pruning import Plan
from pipelines.settings import Settings
from pipelines.sought import Sought


@dataclass(frozen=True)
class Pruned:
    plan: Plan
    byte_count: int  # freed, or what would be at least


@dataclass(frozen=True)
class Forgotten:
    found: Found
    logs: list[Path]  # that hold calls of the person and are still in place
    told_by: list[str]  # tables of tokenspread.toml that name the person
    proof: Proof | None  # None: nothing was done


def prune_ledger(settings: Settings, before: date) -> Plan:
    """Takes the calls of UTC days before that one out of the ledger, with the outcomes that only they have. The build
    that follows removes what still holds them. Raises UserError, LedgerBusy."""
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        plan = pruning.plan(store, before)
        pruning.carry_out(store, settings, plan)
    return plan


def prune(settings: Settings, before: date, is_dry_run: bool = False) -> Pruned:
    """`prune_ledger`, then a build, where anything was taken out or an earlier run died before its build. Raises
    UserError, LedgerBusy, NotPublished."""
    with _by_itself(settings, is_dry_run):
        return _pruned(settings, before, is_dry_run)


def _pruned(settings: Settings, before: date, is_dry_run: bool) -> Pruned:
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        held, is_open = _byte_count(store.data), erasure.is_open(store)
        if is_dry_run:
            plan = pruning.plan(store, before)
            return Pruned(plan, _planned_bytes(store, plan))
    plan = prune_ledger(settings, before)
    if plan.gone or is_open:
        stages.build(settings)
    return Pruned(plan, max(held - _byte_count(settings.data), 0))


def forget_user(settings: Settings, user: str, is_dry_run: bool = False) -> Forgotten:
    """Takes the person out of the ledger and of all that is published or kept, and looks for the name. Raises UserError
    (also where nothing names them), LedgerBusy, NotPublished."""
    if not user.strip():
        raise UserError("forget-user: no name; give the user as the logs name them")
    with _by_itself(settings, is_dry_run):
        return _forgotten(settings, user, is_dry_run)


def _forgotten(settings: Settings, user: str, is_dry_run: bool) -> Forgotten:
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        users = build_inputs.users_of(store, settings)
        person = [Sought(name, [str(settings.data.resolve())]) for name in users.names_of(user)]
        _refuse_what_would_bring_it_back(settings, person)
        parts = []
        for sought in person:
            parts.append(forgetting.look(store, sought))
            if parts[-1].is_anything and not is_dry_run:
                forgetting.carry_out(store, settings, sought, parts[-1], users)
        found = forgetting.together(parts)
        if not found.is_anything and not erasure.is_open(store):
            raise UserError(f"{settings.data}: nothing there names {user!r}; give the user as the logs name them")
    logs = [Path(path) for path in found.logs if Path(path).exists()]
    tables = {f"[{name}]": _text(table) for name, table in _other_tables(settings).items()}
    told_by = [name for name, text in tables.items() if any(sought.is_in(text) for sought in person)]
    if is_dry_run:
        return Forgotten(found, logs, told_by, None)
    stages.build(settings)
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        proofs = [proof.search(store, sought) for sought in person]
    return Forgotten(found, logs, told_by, proof.together(proofs))


@contextmanager
def _by_itself(settings: Settings, is_dry_run: bool) -> Iterator[None]:
    """With no night going on, which may hold names in memory, and nothing that a build would publish in passing."""
    if not (settings.data / "manifest.sqlite").exists():
        raise UserError(f"{settings.data}: no data folder of tokenspread; check --data")
    with night_book.alone(settings.data, settings.wait_seconds):
        with ledger.opened(settings.data, settings.wait_seconds) as store:
            stopped = night_book.stopped(store)
            build_inputs.users_of(store, settings)  # a build without their key would be refused, half-way
        if stopped and not is_dry_run:
            fix = "mend that, or publish it with tokenspread nightly --accept, first"
            raise UserError(f"{settings.data}: {stopped}, and a build would publish it; {fix}")
        yield


def _refuse_what_would_bring_it_back(settings: Settings, person: list[Sought]) -> None:
    """What every build reads, and keeps or publishes."""
    scenarios = [Path(text) for text in settings.scenarios if text.endswith(".toml")]
    places = [
        f"{path}:{number}"
        for path in (settings.revenue, settings.prices, *scenarios)
        if path and path.is_file()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if any(sought.is_in(line) for sought in person)
    ]
    if any(sought.is_in(_text(settings.scenario_tables)) for sought in person):
        places.append(f"[scenarios] of {settings.config}")
    if places:
        raise UserError(
            f"{', '.join(places)}: names {person[-1].name!r}, and every build reads it; take that out first"
        )


def _other_tables(settings: Settings) -> dict[str, Any]:
    return settings.night_tables | {"attribution": settings.attribution, "log": settings.log_mappings}


def _text(table: Any) -> str:
    return json.dumps(table, ensure_ascii=False, default=str)


def _byte_count(data: Path) -> int:
    paths = [path for name in OWN_FOLDERS if name != "prefect" for path in (data / name).rglob("*")]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _planned_bytes(store: Ledger, plan: Plan) -> int:
    """Of the files that hold what is pruned; what is written anew is not taken off."""
    if not plan.gone:
        return sum(path.stat().st_size for path in plan.reports)
    gone = {file["path"] for file in plan.gone} | {*plan.outcome_paths}
    files = store.manifest.rows("select path, byte_count, removed from file")
    link = (store.data / "warehouse.duckdb").resolve()
    others = [path for path in (store.data / "catalog").glob("*") if path.is_file() and path != link]
    superseded = sum(row["byte_count"] for row in files if row["removed"] is not None or row["path"] in gone)
    return superseded + sum(path.stat().st_size for path in [*others, *plan.reports])
