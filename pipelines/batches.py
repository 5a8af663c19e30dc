"""What is new, cut into batches that are taken in one commit each: a killed night has lost one batch's work at most."""

from dataclasses import dataclass

from pipelines.log_files import Found, LogFile

MOST_FILES = 2_000
MOST_BATCHES = 50  # a night stays under 100 task runs, however much there is to take


@dataclass(frozen=True)
class Batch:
    given: dict[str, Found]  # by kind: calls, outcomes
    file_count: int
    byte_count: int


def cut(changed: dict[str, list[LogFile]], batch_bytes: int) -> list[Batch]:
    """The files in their order, outcomes after calls; a batch has at least one, and no more than its bounds."""
    files = [(kind, file) for kind, some in changed.items() for file in some]
    most_bytes = max(batch_bytes, sum(file.size for _, file in files) * 2 // MOST_BATCHES)
    most_files = max(MOST_FILES, len(files) * 2 // MOST_BATCHES)
    batches: list[list[tuple[str, LogFile]]] = []
    byte_count = 0
    for kind, file in files:
        if not batches or byte_count + file.size > most_bytes or len(batches[-1]) >= most_files:
            batches.append([])
            byte_count = 0
        batches[-1].append((kind, file))
        byte_count += file.size
    return [_batch(some) for some in batches]


def _batch(files: list[tuple[str, LogFile]]) -> Batch:
    given = {kind: Found([file for of, file in files if of == kind]) for kind in ("calls", "outcomes")}
    return Batch(given, len(files), sum(file.size for _, file in files))
