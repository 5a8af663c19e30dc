"""Rows on their way into the ledger: held in memory up to a bound, then Parquet in the staging folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.errors import StorageTrouble

KEPT_LINES = "kept_lines"  # what quarantined lines say, where that is to be kept
KINDS = ("ledger", "outcomes", "quarantine", KEPT_LINES)
FLUSH_BYTES = 48 << 20


@dataclass(frozen=True)
class DraftFile:
    path: Path
    kind: str
    day: str  # ISO date, or "unknown"
    row_count: int


class Draft:
    """`settle` leaves one row for each call; it runs on what is written together, the ledger resolves the rest."""

    def __init__(self, staging: Path, settle: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self.staging, self.settle = staging, settle
        self.frames: list[tuple[str, pl.DataFrame]] = []
        self.byte_count = 0  # of the frames
        self.files: list[DraftFile] = []
        self.marked: tuple[int, int] | None = None  # (frames, files) that stood when an attempt began
        self.number = 0

    def add(self, kind: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self.frames.append((kind, frame))
            self.byte_count += frame.estimated_size()
        if self.byte_count > FLUSH_BYTES:
            self.flush()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What is added within is taken back where the block raises."""
        self.marked = (len(self.frames), len(self.files))
        try:
            yield
        except BaseException:
            frame_count, file_count = self.marked
            for file in self.files[file_count:]:
                file.path.unlink()
            self._keep(self.frames[:frame_count])
            self.files = self.files[:file_count]
            raise
        finally:
            self.marked = None

    def flush(self) -> None:
        if self.marked:  # what stood before the attempt must not share a file with what may be taken back
            before = self.marked[0]
            self._write_frames(self.frames[:before])
            self._keep(self.frames[before:])
            self.marked = (0, len(self.files))
        self._write_frames(self.frames)
        self._keep([])

    def _keep(self, frames: list[tuple[str, pl.DataFrame]]) -> None:
        self.frames = frames
        self.byte_count = sum(frame.estimated_size() for _, frame in frames)

    def _write_frames(self, frames: list[tuple[str, pl.DataFrame]]) -> None:
        for kind in KINDS:
            of_kind = [frame for name, frame in frames if name == kind]
            if of_kind:
                rows = pl.concat(of_kind)
                self._write(kind, self.settle(rows) if kind == "ledger" else rows)

    def _write(self, kind: str, rows: pl.DataFrame) -> None:
        if kind != "ledger":
            self._write_file(kind, "all", rows)
            return
        if rows["day"].n_unique() == 1:  # the usual night: no row has to be moved
            days = {(rows["day"][0],): rows}
        else:
            days = rows.partition_by("day", as_dict=True, maintain_order=True)
        for (day,), of_day in days.items():
            self._write_file(kind, "unknown" if day is None else str(day), of_day)

    def _write_file(self, kind: str, day: str, rows: pl.DataFrame) -> None:
        path = self.next_path(kind)
        try:
            # statistics cost a tenth of the writing, and within one day's file they let a query skip nothing
            rows.write_parquet(path, compression="zstd", compression_level=1, statistics=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            # not to be taken for damage of the log that is being read
            raise StorageTrouble(f"{path}: cannot be written ({error}); make room there, and run again") from None
        self.files.append(DraftFile(path, kind, day, rows.height))

    def next_path(self, kind: str) -> Path:
        self.number += 1
        return self.staging / f"{kind}-{self.number}.parquet"
