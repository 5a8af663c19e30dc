"""What stands in a folder of logs and is none, and logs that change while they are read.

Links to files are followed, also out of the folder: container platforms lay logs out as links. Links to folders that
are found are not, since they may lead back.
"""

import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from pipelines import intake, log_files, rows, stages
from pipelines.errors import UserError
from pipelines.reader import Reader
from pipelines.settings import Settings
from tests.bad_input.folders import FIRST, LAST, Told, call, ingested, parquet, told_of, with_neighbours
from tests.pipelines.logs import jsonl, ledger_rows

NO_FILE = log_files.NO_FILE
LINES = jsonl(call(number) for number in range(5))
MORE = jsonl(call(number, call_id=f"more{number}") for number in range(9))


@pytest.fixture
def logs(tmp_path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        here = os.open(path.parent, os.O_RDONLY)
        try:
            end.bind(f"/proc/self/fd/{here}/{path.name}")  # the whole path is too long for one
        finally:
            os.close(here)


def a_device(path: Path) -> None:
    try:
        os.mknod(path, 0o20600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("making a device takes root")


# name: (makes it, why it is no log; none where it is as if there were nothing)
NO_LOGS: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "a folder": (Path.mkdir, None),
    "a pipe": (os.mkfifo, NO_FILE),
    "a socket": (a_socket, NO_FILE),
    "a device": (a_device, NO_FILE),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), NO_FILE),
    "a link to itself": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "no such file or directory"),
    "a link to the folder above": (lambda path: path.symlink_to(".."), None),
}


@pytest.mark.parametrize("make, why", NO_LOGS.values(), ids=NO_LOGS)
def test_what_is_no_file_is_told_and_never_opened(logs, make, why):
    make(logs / "m.jsonl")
    assert ingested(logs).refused == ({"m.jsonl": why} if why else {})


@pytest.mark.parametrize(
    "make", [make for make, why in NO_LOGS.values() if why], ids=[n for n, (_, w) in NO_LOGS.items() if w]
)
def test_what_is_no_file_and_named_is_the_users_mistake(logs, make):
    make(logs / "m.jsonl")
    with pytest.raises(UserError, match="m.jsonl: (not a log but a device|cannot be read)"):
        log_files.find([str(logs / "m.jsonl")])


def test_links_to_files_are_followed_each_file_once(logs, tmp_path):
    (tmp_path / "outside.jsonl").write_bytes(LINES)
    (logs / "m.jsonl").symlink_to("../outside.jsonl")
    (logs / "n.jsonl").symlink_to("m.jsonl")
    assert ingested(logs).of("outside.jsonl") == ([1, 2, 3, 4, 5], {})
    assert ledger_rows(tmp_path / "data").height == 7
    os.link(tmp_path / "outside.jsonl", logs / "o.jsonl")  # another name of the same bytes
    assert ledger_rows(tmp_path / "data").height == 7


@pytest.mark.parametrize("pattern", ["", "**", "**/*", "**/*.jsonl"])
def test_folders_that_lead_back_are_walked_once(logs, tmp_path, pattern):
    with_neighbours(logs)
    (logs / "a").mkdir()
    (logs / "a" / "m.jsonl").write_bytes(LINES)
    (logs / "a" / "up").symlink_to("..")
    (logs / "a" / "here").symlink_to(logs)
    settings = Settings.load(data=tmp_path / "data", logs=[str(logs / pattern)])
    told = told_of(stages.ingest(settings).report, tmp_path / "data")
    assert told.of("m.jsonl") == ([1, 2, 3, 4, 5], {})
    assert ledger_rows(tmp_path / "data").height == 7


NAMES = [
    *("br[1].jsonl", "st*r.jsonl", "q?.jsonl", "b1.jsonl", "b[!a].jsonl", "~.jsonl", "$HOME.jsonl", "%d.jsonl",
    "{a,b}"),
    *("new\nline.jsonl", "quo'te.jsonl", 'quo"te.jsonl', "\x1b[31mred.jsonl", "; drop table.jsonl",
    "back\\slash.jsonl"),
    *("\u202ertl.jsonl", "[red]markup.jsonl", "<script>.jsonl", "m" * 250, " ", "-rf", "model=x", "data", "\x07",
    "é.jsonl"),
]  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_name_is_a_name(logs, tmp_path, pack):
    """Read in place, in one query with others, from a copy, and alone where a line of it is bad."""
    for number, name in enumerate(NAMES):
        lines = jsonl([call(1, call_id=f"{number}"), call(1, call_id=f"{number}b")])
        (logs / name).write_bytes(pack(lines + (b"bad\n" if number % 5 == 0 else b"")))
    told = ingested(logs)
    for number, name in enumerate(NAMES):
        assert told.of(name) == ([1, 2], {3: "not JSON"} if number % 5 == 0 else {})
        assert [row["response_id"] is None for row in told.calls[name].values()]
    assert {row["line_number"] for row in told.calls["st*r.jsonl"].values()} == {1, 2}


@pytest.mark.parametrize("kind", ["array", "parquet"])
def test_a_name_is_a_name_to_the_readers_of_documents(logs, kind):
    for number, name in enumerate(NAMES):
        rows = [call(1, call_id=f"{number}"), call(1, call_id=f"{number}b")]
        if kind == "array":
            (logs / name).write_text(json.dumps(rows))
        else:
            with (logs / name).open("wb") as file:  # polars would expand some of the names
                file.write(parquet(logs.parent / "rows", rows).read_bytes())
    told = ingested(logs)
    assert all(told.of(name) == ([1, 2], {}) for name in NAMES)


def test_names_are_harmless_where_they_are_printed(logs, tmp_path):
    for name in NAMES:
        (logs / f"cut {name}"[:200]).write_bytes(b"PAR1")
        (logs / f"half {name}"[:200]).write_bytes(LINES[:-5])
        (logs / f"prose {name}"[:200]).write_bytes(b"Some prose,\nthat is no log.\n")
    command = [
        sys.executable,
        "-c",
        "from pipelines.cli import main; main()",
        "ingest",
        "--data",
        str(tmp_path / "data"),
    ]
    runs = [[*command, str(logs)], [*command, str(logs / "prose \x1b[31mred.jsonl")]]
    for run in runs:
        done = subprocess.run(run, capture_output=True, text=True, env=os.environ, timeout=120)
        printed = done.stdout + done.stderr
        assert "Traceback" not in printed
        assert not {letter for letter in printed if not letter.isprintable()} - {"\n"}, printed
        assert "prose" in printed


def test_a_name_that_is_no_utf8_is_told(logs):
    os.mkdir(os.fsencode(logs) + b"/f\xff")
    for name in (b"m\xff.jsonl", b"f\xff/inner.jsonl"):
        with open(os.fsencode(logs) + b"/" + name, "wb") as file:
            file.write(LINES)
    told = ingested(logs)
    assert told.refused == dict.fromkeys(["m\\xff.jsonl", "inner.jsonl"], "its path is not UTF-8; rename it")


READ = """
import sys
from pathlib import Path
from tests.bad_input.folders import ingested
told = ingested(Path(sys.argv[1]))
print(sorted(told.refused.items()), len(told.calls.get("m.jsonl", {})))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_what_may_not_be_read_is_told():
    base = Path(f"/tmp/tokenspread-{os.getpid()}")  # pytest's own folders are closed to others
    logs = base / "logs"
    command = [sys.executable, "-c", READ, str(logs)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(base)}

    def as_another() -> str:
        done = subprocess.run(
            command, user=65534, group=65534, env=environment, cwd=base, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        with_neighbours(logs)
        (logs / "m.jsonl").write_bytes(LINES)
        (logs / "inner").mkdir()
        for path in (base, *base.rglob("*")):
            os.chown(path, 65534, 65534)
        (logs / "m.jsonl").chmod(0)
        (logs / "inner").chmod(0)
        assert as_another() == "[('inner', 'permission denied'), ('m.jsonl', 'permission denied')] 0"
        (logs / "m.jsonl").chmod(0o600)
        assert as_another() == "[('inner', 'permission denied')] 5"  # without being told to
    except PermissionError:
        pytest.skip("another user may not start this interpreter")
    finally:
        shutil.rmtree(base)


def truncate(path: Path) -> None:
    os.truncate(path, 700)


def rewrite(path: Path) -> None:
    path.write_bytes(MORE)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(MORE)


def become(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


CHANGES: dict[str, Callable[[Path], None]] = {
    "vanishes": Path.unlink,
    "is emptied": lambda path: os.truncate(path, 0),
    "is truncated": truncate,
    "is rewritten": rewrite,
    "is appended to": append,
    "is renamed": lambda path: path.rename(path.parent.parent / "renamed"),
    "is replaced": lambda path: (path.with_suffix(".new").write_bytes(MORE), path.with_suffix(".new").replace(path)),
    "becomes a pipe": become(os.mkfifo),
    "becomes a folder": become(Path.mkdir),
    "becomes a device": become(lambda path: path.symlink_to("/dev/zero")),
    "becomes a link to itself": become(lambda path: path.symlink_to(path)),
}
SEAMS = {
    "before it is looked at": (intake.sniff, "look"),
    "before it is identified": (intake.new_lines, "identify"),
    "before it is hashed": (intake, "direct_piece"),
    "before it is copied": (intake, "staged_pieces"),
    "before DuckDB reads it": (Reader, "read_fast"),
    "before it is turned into lines": (intake, "as_lines"),
}
LAYOUTS = {"lines": LINES, "gzip": gzip.compress(LINES), "csv": None, "array": None, "parquet": None}


def content_of(layout: str, folder: Path) -> bytes:
    rows = [call(number) for number in range(5)]
    if layout == "csv":
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        return "".join(f"{line}\n" for line in lines).encode()
    if layout == "parquet":
        return parquet(folder / "rows", rows).read_bytes()
    return json.dumps(rows).encode() if layout == "array" else LAYOUTS[layout]


def at_seam(monkeypatch, owner: object, name: str, path: Path, change: Callable[[Path], None]) -> list[int]:
    """Makes the change when the seam is first passed with that file."""
    work, done = getattr(owner, name), []

    def changed(*arguments, **named):
        if not done and str(path) in repr(arguments):
            done.append(1)
            change(path)
        return work(*arguments, **named)

    monkeypatch.setattr(owner, name, changed)
    return done


def test_a_log_that_changes_while_it_is_read_gives_what_it_was_or_is(logs, tmp_path, monkeypatch):
    """At any seam: never half a line, never a call twice; what cannot be read is told, and the next run takes what
    there is then."""
    seed, cases = int(os.environ.get("SEED", random.randrange(10**6))), list(product(LAYOUTS, CHANGES, SEAMS))
    some = cases if "TRIALS" in os.environ else random.Random(seed).sample(cases, 40)
    for number, (layout, change_name, seam) in enumerate(some):
        print("SEED", seed, layout, change_name, seam)  # the last one is the one that failed
        change, (owner, name), content = CHANGES[change_name], SEAMS[seam], content_of(layout, tmp_path)
        if name == "read_fast" and change_name == "becomes a pipe":
            owner, name = intake, "_refuse_changed"  # it is DuckDB that opens next, and it would wait
        folder = logs / str(number)
        with_neighbours(folder)
        (folder / "m").write_bytes(content)
        with monkeypatch.context() as patch:
            done = at_seam(patch, owner, name, folder / "m", change)
            data = tmp_path / str(number)
            told = told_of(stages.ingest(Settings.load(data=data, logs=[str(folder)])).report, data)
        assert told.of(FIRST) == told.of(LAST) == ([1], {})
        check_calls(told, data)
        if not done:
            continue
        again = stages.ingest(Settings.load(data=data, logs=[str(folder)])).report
        check_calls(told_of(again, data), data)


def check_calls(told: Told, data: Path) -> None:
    """Each call once; none that was in no state of the log."""
    rows = ledger_rows(data)
    assert rows.select("key_hi", "key_lo").is_duplicated().sum() == 0
    assert set(rows["input_tokens"]) <= {100 + number for number in range(9)}
    assert set(rows["output_tokens"]) == {10}
    assert "Traceback" not in repr(told.report)


def test_a_copy_of_a_log_that_vanishes_while_it_is_read_has_its_calls(logs, tmp_path, monkeypatch):
    """As when a rotation has packed a log and removes it: it was known already, and read nowhere."""
    for copy in (gzip.compress(LINES), LINES, LINES + MORE):
        shutil.rmtree(logs)
        with_neighbours(logs)
        (logs / "app.1").write_bytes(LINES)
        (logs / "app.1.copy").write_bytes(copy)
        data = tmp_path / f"data-{len(copy)}"
        with monkeypatch.context() as patch:
            at_seam(patch, Reader, "read_fast", logs / "app.1", Path.unlink)
            stages.ingest(Settings.load(data=data, logs=[str(logs)]))
        stages.ingest(Settings.load(data=data, logs=[str(logs)]))
        assert ledger_rows(data).height == 2 + LINES.count(b"\n") + (copy.count(b"\n") - 5 if MORE in copy else 0)


CUTTER = """
import os, sys, time
path, size = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
while size > 1000:
    size = size * 9 // 10
    os.truncate(path, size)
    time.sleep(0.002)
"""


@pytest.mark.parametrize("layout", ["lines", "array", "parquet"])
def test_a_log_that_shrinks_under_the_reader_kills_nothing(logs, tmp_path, monkeypatch, layout):
    """A reader that maps the file into memory would die of SIGBUS. Another process cuts it while DuckDB reads."""
    calls = [call(number % 9, call_id=f"c{number}", text=f"{number}" * 20) for number in range(60_000)]
    content = {"lines": lambda: jsonl(calls), "array": lambda: b"[" + jsonl(calls).replace(b"\n", b",\n")[:-2] + b"]"}
    make = content.get(layout, lambda: parquet(tmp_path / "rows", calls, row_group_size=1000).read_bytes())
    (logs / "m").write_bytes(make())
    owner, name = {"lines": (Reader, "read_fast"), "array": (rows, "objects"), "parquet": (rows, "rows")}[layout]
    cutter = subprocess.Popen(
        [sys.executable, "-c", CUTTER, str(logs / "m"), str((logs / "m").stat().st_size)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        cutter.stdout.readline()
        at_seam(monkeypatch, owner, name, logs / "m", lambda _: (cutter.stdin.write("go\n"), cutter.stdin.flush()))
        told = ingested(logs)
        cutter.wait(60)
    finally:
        cutter.kill()
        cutter.communicate()
    assert told.calls.get("m", {}).keys() <= set(range(1, 60_001))
    check_calls(told, tmp_path / "data")


def test_duckdb_maps_no_log_into_memory(logs, tmp_path, monkeypatch):
    """While a query is open, the log is not among what the process has mapped."""
    (logs / "m.jsonl").write_bytes(LINES * 2_000)
    mapped = []
    take = intake.Intake._advance

    def look(self, *counts):
        mapped.append("m.jsonl" in Path("/proc/self/maps").read_text())
        take(self, *counts)

    monkeypatch.setattr(intake.Intake, "_advance", look)
    stages.ingest(Settings.load(data=tmp_path / "data", logs=[str(logs)]))
    assert mapped
    assert not any(mapped)


WRITER = """
import sys, time
line, stop = sys.argv[2].encode() + b"\\n", time.time() + 60
with open(sys.argv[1], "ab", buffering=0) as log:
    print("ready", flush=True)
    while time.time() < stop:
        log.write(line * 50)
        time.sleep(0.002)
"""


def test_a_log_that_grows_for_ever_is_read_to_where_it_was(logs, tmp_path):
    (logs / "m.jsonl").write_bytes(LINES)
    line = json.dumps({"called_at": "2026-11-01T10:00:00Z", "model": "m", "input_tokens": 1, "output_tokens": 1})
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(logs / "m.jsonl"), line], stdout=subprocess.PIPE)
    try:
        writer.stdout.readline()
        ingested(logs)
        time.sleep(0.1)
        ingested(logs)
    finally:
        writer.kill()
        writer.communicate()
    whole = (logs / "m.jsonl").read_bytes()
    told = ingested(logs)
    assert len(told.calls["m.jsonl"]) == whole.count(b"\n")


def test_nothing_of_a_log_is_part_of_a_path(logs, tmp_path):
    """The data folder has files of days and of hashes, whatever a log calls its models and users."""
    evil = ["../../evil", "/abs", "a/b", "..", "x=y", "n\nl", "__HIVE_DEFAULT_PARTITION__", "v" * 300, "evil'; --"]
    fields = (
        "model",
        "provider",
        "feature",
        "user_id",
        "customer_id",
        "environment",
        "action_id",
        "call_id",
        "outcome",
    )
    (logs / "m.jsonl").write_bytes(
        jsonl(
            call(1) | dict.fromkeys(fields, text) | {"call_id": f"{number} {text}"} for number, text in enumerate(evil)
        )
    )
    told = ingested(logs)
    assert told.of("m.jsonl")[0] == list(range(1, len(evil) + 1))
    assert told.column("m.jsonl", "feature") == evil
    kept = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if logs not in (path, *path.parents)]
    assert kept
    assert not [path for path in kept if any(word in path for word in ("evil", "abs", "HIVE", "vvv", "x=y", "\n"))]
    assert {path.name for path in tmp_path.iterdir()} == {"data", "logs"}


def test_a_log_that_is_emptied_while_it_is_read_leaves_its_lines_to_its_copy(logs, tmp_path, monkeypatch):
    """copytruncate: the copy is looked at when the log is known, and the log has no lines any more when it is read."""
    log, copy = logs / "a.jsonl", logs / "b.jsonl"
    for path in (log, copy):
        path.write_bytes(jsonl([call(1), call(2)]))
    look = intake.direct_piece

    def emptied(taking, bounds):
        piece = look(taking, bounds)
        if taking.file.path == log:
            os.truncate(log, 0)
        return piece

    monkeypatch.setattr(intake, "direct_piece", emptied)
    assert ingested(logs).of("b.jsonl") == ([1, 2], {})


def test_stars_enter_no_link_to_a_folder(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "logs" / "a.jsonl", tmp_path / "other" / "b.jsonl"):
        path.write_bytes(jsonl([call(1)]))
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "other")
    for pattern in ("**", "**/*", "**/*.jsonl"):
        assert [file.path.name for file in log_files.find([str(tmp_path / "logs" / pattern)]).files] == ["a.jsonl"]
