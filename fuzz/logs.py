"""A log of one shape, read the way `ingest` reads it and once more line by line by the exact path: both must tell the
same, every line must be accounted for, and no count may be other than what the line says in digits."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from unittest import mock

import polars as pl

from fuzz import plain
from fuzz.mutations import SECRET
from pipelines import log_files, reader, readings, sniff
from pipelines.bounds import Bounds
from pipelines.draft import Draft
from pipelines.errors import UserError
from pipelines.intake import Intake
from pipelines.new_lines import Known, Taking
from pipelines.pieces import Piece
from pipelines.reading import Read, Reading, Report
from pipelines.settings import Settings
from pipelines.users import Users
from transforms import schemas, settlement
from transforms.shapes import instants

LINE = list(schemas.LINE_KEYS)
ROWS = {"ledger": schemas.LEDGER, "outcomes": schemas.OUTCOMES, "quarantine": schemas.QUARANTINE}
RULES = (
    {},
    {"feature": {"tags": "metadata~tags", "prefix": "feature:"}, "customer_id": ["metadata~customer", "user"]},
    {
        "user_id": "user",
        "environment": {"const": "test"},
        "is_success": {"path": "status", "equals": ["success", "200"]},
    },
)
BLOCKS = (64, 2_000, 1_000, *[reader.BLOCK_BYTES] * 4)  # each line alone, a few together, all at once
MOST_BYTES = 256 << 20
MOST = 2**53  # of a count: classes of at most 1e9 each, added up
# A count that stands in the record as it is: shape -> column -> where.
DIRECT = {
    "tokenspread": {name: name for name in schemas.QUANTITIES if name != "compute_microseconds"},
    "openai_embeddings": {"input_tokens": "usage.prompt_tokens"},
    "openai_responses": {"input_tokens": "usage.input_tokens", "output_tokens": "usage.output_tokens"},
    "anthropic_messages": {"output_tokens": "usage.output_tokens"},
    "ollama": {"input_tokens": "prompt_eval_count", "output_tokens": "eval_count"},
}


class LineByLine(reader.Reader):
    """Reads by the exact path alone."""

    def read_fast(self, pieces: list[Piece], fields: dict[str, str]) -> Iterator[Read]:
        raise reader.Unclean
        yield


class Keeping(Intake):
    """Keeps the bytes of each log as lines: a staged copy is gone when it is read."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.lines: dict[Path, bytes] = {}

    def look(self, file: log_files.LogFile) -> tuple[sniff.Look, log_files.LogFile]:
        seen, lines = super().look(file)
        with log_files.open_bytes(lines.source, self.reader.bounds) as stream:
            self.lines[file.path] = log_files.read_up_to(stream, MOST_BYTES)
        return seen, lines


@dataclass
class Told:
    """What logs became: rows of each kind, what was reported, and the bytes of each as lines."""

    rows: dict[str, pl.DataFrame]
    report: Report
    lines: dict[Path, bytes]
    refusal: str | None


@cache
def room() -> tuple[Path, dict[bool, reader.Reader]]:
    """A folder for the files of one check after the other, and a reader of each kind."""
    folder = Path(tempfile.mkdtemp(prefix="tokenspread-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "staging").mkdir()
    readers = {False: reader.Reader(folder / "staging"), True: LineByLine(folder / "staging")}
    for some in readers.values():
        some.connection.execute("set threads = 1")  # of a few lines, the others would only be woken
    return folder, readers


TERMS = readings.Terms(Users(Settings()), Bounds(), datetime(2027, 1, 1, tzinfo=UTC))


def told(
    path: Path, settings: Settings, by_line: bool, block_bytes: int = reader.BLOCK_BYTES, is_kept: bool = True
) -> Told:
    folder, readers = room()
    draft = Draft(folder / "staging", settlement.settle)
    refusal = None
    intake = Keeping(readers[by_line], draft, 1, lambda *_: None)
    try:
        choose = readings.of_calls(settings, draft, TERMS)
        choose = _once(choose) if is_kept else choose
        with mock.patch.object(reader, "BLOCK_BYTES", block_bytes):
            intake.read(log_files.find([str(path)]).files, "calls", Known([]), choose)
    except UserError as error:
        refusal = str(error)
    rows = {kind: schemas.empty(schema) for kind, schema in ROWS.items()}
    rows |= {kind: pl.concat([rows[kind], *(f for k, f in draft.frames if k == kind)]) for kind in rows}
    return Told(rows, intake.report, intake.lines, refusal)


def _once(choose: Callable) -> Callable:
    """The reading that is chosen first, so that both ways of reading use one."""
    chosen: list[Reading | None] = []

    def again(look) -> Reading | None:
        if not chosen:
            chosen.append(choose(look))
        return chosen[0]

    return again


def check(shape: str, data: bytes) -> None:
    """Raises AssertionError, or whatever the product raises that it should not."""
    path = room()[0] / "log"
    path.write_bytes(data)
    settings = Settings(shape=shape, attribution=RULES[len(data) % len(RULES)])
    fast = told(path, settings, by_line=False)
    check_told(fast)
    exact = told(path, settings, by_line=True, block_bytes=BLOCKS[len(data) // 3 % len(BLOCKS)])
    assert fast.refusal == exact.refusal
    check_same(fast.rows, exact.rows)
    counts = [[taking.counts for taking in some.report.taken] for some in (fast, exact)]
    assert [_told_counts(some) for some in counts[0]] == [_told_counts(some) for some in counts[1]], counts
    check_settlement(fast.rows["ledger"])


def _told_counts(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def check_same(rows: dict[str, pl.DataFrame], others: dict[str, pl.DataFrame]) -> None:
    for kind, frame in rows.items():
        one, other = (some.sort(some.columns[:3] if kind == "quarantine" else LINE) for some in (frame, others[kind]))
        if not one.equals(other):
            differing = [
                name for name in one.columns if one.height != other.height or not one[name].equals(other[name])
            ]
            raise AssertionError(
                f"the two readings differ in {kind}: {differing}\n{one.select(differing)}\n{other.select(differing)}"
            )


def check_message(text: str) -> None:
    assert text and "\n" not in text, f"not one line: {text!r}"


def check_told(one: Told) -> None:
    messages = [one.refusal or "", *(why for _, why in one.report.skipped + one.report.unreadable)]
    messages += one.rows["quarantine"]["reason"].to_list()
    assert not any(SECRET in message for message in messages), "a message cites the log"
    for taking in one.report.taken:
        rows = {kind: frame.filter(content_id=taking.content_id) for kind, frame in one.rows.items()}
        check_taking(taking, rows, one.lines[taking.file.path])


def check_taking(taking: Taking, rows: dict[str, pl.DataFrame], data: bytes) -> None:
    new = data[taking.from_byte : taking.to_byte]  # what follows a log that is known has its lines counted on
    new = new if taking.from_byte else new.removeprefix(log_files.BOM)
    lines = new.split(b"\n") if taking.is_open else new.split(b"\n")[:-1]
    assert len(lines) == taking.line_count, f"{taking.line_count} lines, not {len(lines)}"
    counts = taking.counts
    kinds = [counts.get(f"{name}_line_count", 0) for name in ("call", "other", "quarantined", "blank")]
    assert sum(kinds) == taking.line_count, f"imbalance: {taking.line_count} lines, {counts}"
    calls, bad = set(rows["ledger"]["line_number"]), set(rows["quarantine"]["line_number"])
    whole = set(rows["quarantine"].filter(pl.col("part").is_null())["line_number"])
    assert not calls & whole, "a line is both a call and quarantined"
    assert [len(calls), len(bad - calls)] == [kinds[0], kinds[2]], "rows are not what was counted"
    assert kinds[3] == sum(not line.strip() for line in lines), "blank lines"
    assert calls | bad <= set(range(taking.from_line + 1, taking.from_line + len(lines) + 1)), (
        "a line that is not there"
    )
    check_values(rows["ledger"], taking.shape, dict(enumerate(lines, start=taking.from_line + 1)))


def check_values(ledger: pl.DataFrame, shape: str, lines: dict[int, bytes]) -> None:
    records = {number: plain.record_of(lines[number]) for number in ledger["line_number"].unique()}
    assert None not in records.values(), "a line is a call that Python's parser refuses"
    for name in schemas.QUANTITIES:
        least, most = ledger[name].min(), ledger[name].max()
        assert least is None or (least >= 0 and (most < MOST or name == "compute_microseconds")), (
            f"{name}: {least}, {most}"
        )
    times = ledger["called_at"]
    assert times.is_null().all() or (times.min() >= instants.EARLIEST and times.max() <= instants.LATEST)
    for row in ledger.iter_rows(named=True):
        record = records[row["line_number"]]
        for column, path in (
            DIRECT.get(shape, {}).items() if row["guard"] is None and row["status"] != "cache_hit" else ()
        ):
            value = plain.at(record, path)
            said = plain.number(value)
            if isinstance(value, Decimal):  # a number of JSON is read as a double (RFC 8259, 6), a text exactly
                said = Decimal(float(value)) if value.is_finite() else None
            assert said is None or row[column] == said, f"{column} is {row[column]}, the line says {said}"


def check_settlement(ledger: pl.DataFrame) -> None:
    """One row for each key, whatever the order of the tellings."""
    settled = settlement.settle(ledger).sort(settlement.KEY)
    assert settled.equals(settlement.settle(ledger.reverse()).sort(settlement.KEY)), "the order of lines decides"
    assert settled.height == ledger.select(settlement.KEY).n_unique()
