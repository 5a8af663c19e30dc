"""Which files a run looks at: never its own, never one as two kinds, and what cannot be looked at is told."""

import os
from pathlib import Path

import pytest

from pipelines import log_files, stages
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.pipelines.logs import chat, ingest, jsonl, ledger_rows


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonl([chat(number)]))
    return path


def names(found: log_files.Found) -> list[str]:
    return [file.path.name for file in found.files]


def test_a_run_never_reads_what_runs_left(here):
    """The ledger's own Parquet fits the flat shape, and stood in the folder that was named."""
    log(here / "log.jsonl")
    for pattern in (".", ".", "**/*", "*/ledger/*/*.parquet"):
        stages.ingest(Settings.load(data="one", logs=[pattern]))
        stages.build(Settings.load(data="one"))
    stages.ingest(Settings.load(data="two", logs=["."]))  # neither what another data folder keeps
    stages.ingest(Settings.load(data="two", logs=["one", "one/*"]))
    assert ledger_rows(here / "one").height == ledger_rows(here / "two").height == 1
    (parquet,) = (here / "one" / "ledger").rglob("*.parquet")
    with pytest.raises(UserError, match="a file of tokenspread's own"):
        log_files.find([str(parquet)])


def test_logs_may_stand_in_the_data_folder(here):
    log(here / "logs" / "a.jsonl", 1)
    log(here / "outcomes.jsonl", 2)
    for _ in range(2):
        stages.ingest(Settings.load(data=".", logs=["."]))
    assert ledger_rows(here).height == 2


@pytest.mark.parametrize("pattern", ["outcomes", "outcomes/*.jsonl", "outcomes/o.jsonl"])
def test_what_is_given_for_outcomes_is_no_log(here, pattern):
    log(here / "log.jsonl")
    (here / "outcomes").mkdir()
    (here / "outcomes" / "o.jsonl").write_text('{"subject_id": "chatcmpl-1", "outcome": "done"}\n')
    (here / "revenue.csv").write_text("feature,revenue_usd\na,1\n")
    settings = Settings.load(logs=["."], outcomes=[pattern], revenue="revenue.csv")
    found = log_files.given(settings)
    assert (names(found["calls"]), names(found["outcomes"])) == (["log.jsonl"], ["o.jsonl"])
    assert stages.ingest(settings).report.skipped == []


def test_a_file_given_for_outcomes_and_later_as_a_log_is_read_as_both(tmp_path):
    path = tmp_path / "both.jsonl"
    path.write_text(
        '{"subject_id": "a", "outcome": "done", "called_at": "2026-11-01T10:00:00Z", "model": "m", '
        '"input_tokens": 1, "output_tokens": 1}\n'
    )
    os.utime(path, (1, 1))
    assert ingest(tmp_path / "data", outcomes=[path]).line_count == 1
    assert ingest(tmp_path / "data", outcomes=[path]).line_count == 0
    assert ingest(tmp_path / "data", path).call_count == 1


def test_what_a_glob_or_a_folder_finds_need_not_be_a_log_but_what_is_named_must(here):
    log(here / "a.jsonl")
    (here / "empty.jsonl").write_bytes(b"")
    (here / "notes.jsonl").write_text("notes")
    for pattern in ("*.jsonl", "."):
        report = ingest(here / "data", pattern).report
        assert [path.name for path, _ in report.skipped] == ["notes.jsonl"]
    assert [file.is_named for file in log_files.find(["*.jsonl", "a.jsonl"]).files] == [True, False, False]
    with pytest.raises(UserError, match="notes.jsonl: no log shape fits"):
        ingest(here / "data", Path("notes.jsonl"))


@pytest.fixture
def troubled(here) -> Path:
    folder = here / "logs"
    log(folder / "good.jsonl")
    os.symlink("nowhere", folder / "dangling.jsonl")
    os.symlink("loop.jsonl", folder / "loop.jsonl")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jsonl")).write_bytes(jsonl([chat(2)]))
    return folder


@pytest.mark.parametrize("pattern", ["logs", "logs/*.jsonl"])
def test_what_is_found_and_cannot_be_looked_at_is_told_and_stops_nothing(here, troubled, pattern):
    report = ingest(here / "data", pattern).report
    assert {path.name: why for path, why in report.unreadable} == {
        "dangling.jsonl": "no such file or directory",
        "loop.jsonl": os.strerror(40)[:1].lower() + os.strerror(40)[1:],
        "\\xff.jsonl": "its path is not UTF-8; rename it",
    }
    assert ledger_rows(here / "data").height == 1


@pytest.mark.parametrize(
    "name", ["dangling.jsonl", "loop.jsonl", "\udcff.jsonl", "x" * 300, "~nosuchuser/x", "a\0b", "good.jsonl/x"]
)
def test_a_named_file_that_cannot_be_looked_at_is_a_mistake(here, troubled, name):
    with pytest.raises(UserError, match="cannot be read|no such file or folder") as mistake:
        log_files.find([name if name.startswith("~") else f"logs/{name}"])
    str(mistake.value).encode()


def test_a_file_that_vanishes_while_its_folder_is_walked_is_told(here, monkeypatch):
    log(here / "logs" / "a.jsonl"), log(here / "logs" / "b.jsonl")
    stat = os.stat

    def vanishing(path, *arguments, **named):
        if str(path).endswith("a.jsonl"):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return stat(path, *arguments, **named)

    monkeypatch.setattr(log_files.os, "stat", vanishing)
    found = log_files.find(["logs"])
    assert names(found) == ["b.jsonl"]
    assert [(path.name, why) for path, why in found.unreadable] == [("a.jsonl", "no such file or directory")]


def test_a_folder_that_may_not_be_entered_is_told(here, monkeypatch):
    log(here / "logs" / "open" / "a.jsonl"), log(here / "logs" / "closed" / "b.jsonl")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(log_files.os, "scandir", refusing)
    found = log_files.find(["logs"])
    assert names(found) == ["a.jsonl"]
    assert [(path.name, why) for path, why in found.unreadable] == [("closed", "permission denied")]
    with pytest.raises(UserError, match="closed: cannot be read"):
        log_files.find(["logs/closed"])


def test_a_tree_deeper_than_pythons_stack_is_walked(here):
    path = "logs"
    os.mkdir(path)
    try:
        for _ in range(1200):
            path += "/d"
            os.mkdir(path)
        log(Path(path, "a.jsonl"))
        assert names(log_files.find(["logs"])) == ["a.jsonl"]
    finally:
        Path(path, "a.jsonl").unlink()
        os.removedirs(path)  # shutil.rmtree, with which pytest would, runs out of stack
