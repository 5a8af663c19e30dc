"""The corridor of `tokenspread reprice` and `swap`: scenarios that no build asked for, over the published usage cube.

Nothing is written: the models that read scenarios are made once more, in memory, beside the published ones.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, InvalidOperation

import polars as pl

from pipelines import pricing, warehouse, what_if
from pipelines.pricing import LIST
from pipelines.settings import Settings, UserError
from pipelines.warehouse_models import CUBE, models_behind, models_over, remade
from pipelines.warehouse_sources import SCENARIO_SOURCES, TABLE_SOURCES, Ask
from transforms import schemas
from transforms.prices import book
from transforms.scenarios.definitions import Scenario

MOST_STEPS = 1_000
DAY_US = 86_400_000_000


def grid_of(text: str) -> tuple[str, ...]:
    """Scenarios from one change to another: "-50%:+100%:5%" or "-50:100:5" are -50%, -45%, ... +100%. UserError."""
    parts = [part.strip().rstrip("%") for part in text.split(":")]
    try:
        low, high, step = map(Decimal, parts)
    except (InvalidOperation, ValueError):
        raise UserError(f"--grid {text}: no grid; write from:to:step in percent, such as -50:100:5") from None
    if step <= 0 or high < low or (high - low) / step > MOST_STEPS:
        raise UserError(f"--grid {text}: from must be below to, by at most {MOST_STEPS} steps above 0")
    changes = [low + step * number for number in range(int((high - low) / step) + 1)]
    return tuple(f"{change:+f}%" for change in changes if change)


@contextmanager
def asked(settings: Settings, names: Sequence[str]) -> Iterator[Ask]:
    """Queries to the models `names` under the settings' scenarios, and to everything published. Raises UserError."""
    link = settings.data / "warehouse.duckdb"
    warehouse.check_published(link)
    scenarios = what_if.chosen(settings)
    try:
        with warehouse.connect_sandboxed(link) as connection:
            published = warehouse.asker(connection)
            prices, is_covered = _prices(scenarios, published, settings)
            again = remade(names, {*SCENARIO_SOURCES} if is_covered else {*SCENARIO_SOURCES, CUBE})
            _open_room(connection, prices, again)
            ask = warehouse.asker(connection)
            if CUBE in again:
                warehouse.make_cube(connection, again)
            for name, frame in what_if.resolve(scenarios, prices, ask).items():
                warehouse.load_table(connection, name, frame, SCENARIO_SOURCES[name])
            warehouse.make_models(connection, again)
            yield ask
    except warehouse.ERRORS as error:  # a warehouse that another version published, or whose Parquet is gone
        fact = str(error).splitlines()[0]
        raise UserError(f"{link}: cannot be asked ({fact}); run `tokenspread build` anew") from None
