"""Traps that logs of LLM calls hold, each with the figure that must come out and those that come out without a rule.

    @trap("3", right=(1, 100, 30), without={"one call is one row": (every_telling_counts, (3, 300, 60))})
    def test_trap_03_gemini_repeats_its_usage(logs): ...

is a test that what the function returns is `right`; and TRAPS knows how to take the rule out and what comes out then,
so that it can be shown that the test would fail (test_each_rule_is_needed).
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import stages
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl, ledger_rows, quarantine_rows

Record = dict[str, Any]
Log = list[Record] | bytes
Prices = Mapping[tuple[str, ...], Mapping[str, int]]  # (provider, model; "true" for batches) -> class -> USD a token
TakeOut = Callable[[pytest.MonkeyPatch], None]

NUMBERS = (*map(str, range(1, 16)), "15b", *map(str, range(16, 25)))
TOKENS = ("input_tokens", "output_tokens")
CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens")


class Logs:
    """A folder with the logs of one trap, and what tokenspread makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"

    def calls(self, *logs: Log, **settings: Any) -> pl.DataFrame:
        """The ledger of logs, each a list of records or the bytes of a file."""
        self._ingest(logs, settings)
        return ledger_rows(self.data)

    def sums(self, *logs: Log, of: Iterable[str] = TOKENS, **settings: Any) -> tuple:
        """(calls, sum of each column): unknown where no call tells one."""
        rows = self.calls(*logs, **settings)
        columns = [rows[name] for name in of] if rows.height else []
        return rows.height, *(column.sum() if column.count() else None for column in columns)

    def told(self, *logs: Log, of: Iterable[str] = TOKENS, **settings: Any) -> list[tuple]:
        """The columns of each call, in an order of their own."""
        rows = self.calls(*logs, **settings)
        return sorted(rows.select(of).rows(), key=repr) if rows.height else []

    def quarantined(self) -> int:
        return quarantine_rows(self.data).height

    def asked(self, query: str, *logs: Log, prices: Prices | None = None) -> list[tuple]:
        """Rows of a query over the published tables; with USD a token as prices, costs are whole dollars."""
        settings = self._ingest(logs, {"prices": self._price_file(prices or {})})
        stages.build(settings)
        return self.asked_again(query)

    def asked_again(self, query: str) -> list[tuple]:
        return stages.query(Settings.load(data=self.data), query).rows()

    def _ingest(self, logs: Iterable[Log], settings: Record) -> Settings:
        paths = [self.folder / f"log-{number}.jsonl" for number, _ in enumerate(logs)]
        for path, log in zip(paths, logs, strict=True):
            path.write_bytes(log if isinstance(log, bytes) else jsonl(log))
        loaded = Settings.load(data=self.data, logs=list(map(str, paths)), **settings)
        stages.ingest(loaded)
        return loaded

    def _price_file(self, prices: Prices) -> Path:
        rows = [
            f"{provider},{model},{name},{usd * 10**6},,{''.join(is_batch)}"
            for (provider, model, *is_batch), by_class in prices.items()
            for name, usd in by_class.items()
        ]
        path = self.folder / "prices.csv"
        path.write_text("\n".join(["provider,model,token_class,usd_per_million,valid_from,is_batch", *rows]) + "\n")
        return path


@dataclass(frozen=True)
class Fall:
    """A rule taken out, and the figure that comes out then."""

    scenario: Callable[[Logs], Any]
    take_out: TakeOut
    right: Any
    wrong: Any


TRAPS: dict[str, dict[str, Fall]] = {number: {} for number in NUMBERS}


def trap(number: str, *, right: Any, without: Mapping[str, tuple[TakeOut, Any]]) -> Callable:
    """Makes of a scenario a test of its figure; `without`: rule -> (how to take it out, the figure then)."""
    assert without, "a trap that no rule holds against"

    def laid(scenario: Callable[[Logs], Any]) -> Callable[[Logs], None]:
        for rule, (take_out, wrong) in without.items():
            TRAPS[number][f"{scenario.__name__}: {rule}"] = Fall(scenario, take_out, right, wrong)

        @functools.wraps(scenario)
        def test(logs: Logs) -> None:
            assert scenario(logs) == right

        return test

    return laid
