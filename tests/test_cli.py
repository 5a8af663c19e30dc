"""The command as a user has it: a process, its output, its errors and its exit code."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.logs import chat, jsonl
from transforms.shapes.signatures import SIGNATURES

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_logs" / "support_desk"


def tokenspread(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with a data folder in it that a run has filled."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "log.jsonl").write_bytes(jsonl([chat(1), chat(2) | {"model": "=cmd|' /C calc'!A0"}]))
    assert tokenspread("run", "log.jsonl", cwd=folder).returncode == 6  # nobody has a price of the second call
    return folder


def test_run_prints_the_report_and_leaves_the_warehouse(tmp_path, golden):
    files = [f"--{name}={SAMPLES / f'{name}.{kind}'}" for name, kind in
             (("outcomes", "jsonl"), ("revenue", "csv"), ("prices", "csv"))]  # fmt: skip
    done = tokenspread("run", SAMPLES, *files, "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 6, done.stderr  # one model of the sample has no price
    assert (tmp_path / "data" / "warehouse.duckdb").exists()
    assert "\x1b" not in done.stdout + done.stderr  # plain text where there is no terminal
    golden("demo.txt", done.stdout.replace(str(ROOT) + "/", ""))
    again = tokenspread("report", "--data", tmp_path / "data", cwd=tmp_path)
    assert again.stdout == done.stdout


@pytest.mark.parametrize("by", ["feature", "user", "customer", "model", "day"])
def test_report_by_each_dimension_in_json_adds_up_to_the_same_total(published, by):
    figures = json.loads(tokenspread("report", "--by", by, "--json", cwd=published).stdout)
    total = figures["total"]["cost_usd"]
    assert isinstance(total, str)  # money as text: a JSON number would be read as a float
    assert figures == json.loads(json.dumps(figures))
    assert sum(row["call_count"] for row in figures["rows"]) == figures["total"]["call_count"] == 2


def test_sql_gives_tables_csv_and_json(published):
    query = "select model, input_tokens, cost_usd from calls order by input_tokens"
    assert "gpt-5-mini" in tokenspread("sql", query, cwd=published).stdout
    rows = list(csv.reader(io.StringIO(tokenspread("sql", query, "--format", "csv", cwd=published).stdout)))
    assert rows[0] == ["model", "input_tokens", "cost_usd"]
    assert rows[2][0] == "'=cmd|' /C calc'!A0"  # no formula for a spreadsheet
    assert rows[2][2] == ""  # unknown, not zero
    (first, second) = json.loads(tokenspread("sql", query, "--format", "json", cwd=published).stdout)
    assert (first["input_tokens"], second["cost_usd"]) == (101, None)


def test_inspect_tells_the_shape_and_touches_nothing(published, tmp_path):
    done = tokenspread("inspect", published / "log.jsonl", cwd=tmp_path)
    assert "shape openai_chat" in done.stdout
    (tmp_path / "other.jsonl").write_text('{"when": 1, "usage": {"words": 2}}\n')
    done = tokenspread("inspect", "other.jsonl", cwd=tmp_path)
    assert "no shape fits" in done.stdout and "usage.words  (1)" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["other.jsonl"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (r'{"\ud800":{"prompt_tokens":5,"model":"m"}}', "no path can name a key of its records"),
        (r'{"\u0000":{"prompt_tokens":5,"model":"m"}}', "no path can name a key of its records"),
        (r'{"prompt_tokens":5,"completion_tokens":2,"model":"\ud800"}', 'input_tokens = "prompt_tokens"'),
        ("{}", "none of them looks like tokens"),
    ],
)
def test_inspect_leaves_out_what_is_no_text(tmp_path, line, told):
    (tmp_path / "log.jsonl").write_text(line + "\n")
    done = tokenspread("inspect", "log.jsonl", cwd=tmp_path)
    assert told in done.stdout and done.stderr == ""


def test_inspect_prints_a_mapping_with_which_run_works(tmp_path):
    records = [{"event": "start", "at": 1}, *({"event": "ask", "at": 1790000000 + n, "agent": {"model": "gpt-5-mini"},
               "usage": {"in": 100 + n, "out": 10}, "tenant": "acme"} for n in range(3))]  # fmt: skip
    (tmp_path / "log.jsonl").write_bytes(jsonl(records))
    done = tokenspread("inspect", "log.jsonl", cwd=tmp_path)
    mapping = done.stdout[done.stdout.index("[log.my_log]") : done.stdout.index("\n\nof its first")]
    (tmp_path / "tokenspread.toml").write_text(mapping)
    done = tokenspread("run", "log.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    query = "select count(*) as n, sum(input_tokens) as i, sum(output_tokens) as o, min(customer_id) as c from calls"
    assert json.loads(tokenspread("sql", query, "--format", "json", cwd=tmp_path).stdout) == [
        {"n": 3, "i": 303, "o": 30, "c": "acme"}
    ]


def test_shapes_lists_every_shape_and_its_signs(tmp_path):
    done = tokenspread("shapes", cwd=tmp_path)
    assert done.returncode == 0
    names = [line for line in done.stdout.splitlines() if not line.startswith(" ")][:-1]
    assert names == list(SIGNATURES)
    assert "schemaType is ModelInvocationLog" in done.stdout


MISTAKES = {
    "no logs": (["run"], 1, "no logs: name files, folders or globs"),
    "missing log": (["run", "nowhere.jsonl"], 1, "nowhere.jsonl: no such file or folder"),
    "not a log": (["run", "notes.txt"], 1, "notes.txt: no log shape fits"),
    "unknown shape": (["run", "log.jsonl", "--shape", "x"], 1, "--shape x: no such shape; known are "),
    "bad scenario": (["run", "log.jsonl", "--scenario", "cheap"], 1, "'cheap'"),
    "missing prices": (["run", "log.jsonl", "--prices", "p.csv"], 1, "p.csv: cannot be read"),
    "bad prices": (["run", "log.jsonl", "--prices", "notes.txt"], 1, "notes.txt"),
    "bad revenue": (["run", "log.jsonl", "--revenue", "notes.txt"], 1, "notes.txt:1: no column"),
    "nothing published": (["report", "--data", "empty"], 1, "nothing is published yet"),
    "bad config": (["run", "log.jsonl", "--config", "notes.txt"], 1, "notes.txt: not valid TOML"),
    "unknown option": (["run", "--speed"], 2, "No such option"),
    "unknown grouping of a run": (["run", "log.jsonl", "--by", "colour"], 1, "--by colour: no such grouping"),
    "no data folder": (["build", "--data", "empty"], 1, "empty: no such data folder"),
    "unknown grouping": (["report", "--by", "colour", "--data", "."], 1, ""),
    "inspect an empty folder": (["inspect", "nothing"], 1, "nothing: there is no file to look at"),
    "inspect a damaged gzip": (["inspect", "cut.gz"], 1, "cut.gz: cut short or damaged"),
    "inspect a damaged Parquet file": (["inspect", "cut.parquet"], 1, "cut.parquet: does not parse as"),
    "link to nothing": (["run", "dangling"], 1, "dangling: cannot be read (no such file or directory)"),
    "link to itself": (["run", "loop"], 1, "loop: cannot be read (too many levels of symbolic links)"),
    "no such user": (["run", "~nosuchuser/x"], 1, "~nosuchuser/x: no such file or folder"),
    "name too long": (["run", "x" * 300], 1, "no such file or folder"),
    "name that a terminal obeys": (["run", "a\x1b[31m"], 1, "a\\x1b[31m: no such file or folder"),
    "config of wrong types": (["run", "--config", "wrong.toml"], 1, "wrong.toml: [input] logs cannot be 5"),
    "data folder is a file": (["run", "log.jsonl", "--data", "notes.txt"], 1, "notes.txt: cannot be written"),
    "data folder cannot be made": (["run", "log.jsonl", "--data", "notes.txt/x"], 1, "notes.txt/x: cannot be written"),
    "data folder is another's": (["run", "log.jsonl", "--data", "other"], 1, "other: has a 'staging' and no manifest"),
    "manifest is junk": (["run", "log.jsonl", "--data", "junk"], 1, "manifest.sqlite: the manifest is damaged"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_a_line_with_its_place_and_fix(tmp_path, mistake):
    arguments, code, message = MISTAKES[mistake]
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(1)]))
    (tmp_path / "notes.txt").write_text("just some notes, ")
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1cutPAR1")
    (tmp_path / "wrong.toml").write_text("[input]\nlogs = 5\n")
    for folder in ("nothing", "other/staging", "junk"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "junk" / "manifest.sqlite").write_bytes(b"not a database" * 100)
    for link, target in (("dangling", "nowhere"), ("loop", "loop")):
        (tmp_path / link).symlink_to(target)
    done = tokenspread(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 6


def test_a_query_that_would_write_is_refused(published):
    for query in ("drop table usage_cube", "copy calls to 'out.csv'", "select * from read_csv('/etc/passwd')"):
        done = tokenspread("sql", query, cwd=published)
        assert done.returncode == 1 and "Traceback" not in done.stderr
    assert not (published / "out.csv").exists()


def test_a_damaged_file_is_named_and_the_exit_code_says_so(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(1)]))
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    done = tokenspread("run", "log.jsonl", "cut.gz", cwd=tmp_path)
    assert done.returncode == 3
    assert "cut.gz: cut short or damaged" in done.stderr
    assert "calls       1" in done.stdout


def test_what_a_folder_holds_that_cannot_be_looked_at_is_named_and_the_exit_code_says_so(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.jsonl").write_bytes(jsonl([chat(1)]))
    (tmp_path / "logs" / "old.jsonl").symlink_to("gone.jsonl")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/logs/\xff.jsonl")).write_bytes(jsonl([chat(2)]))
    done = tokenspread("run", "logs", cwd=tmp_path)
    assert done.returncode == 3
    assert "logs/old.jsonl: no such file" in done.stderr and "its path is not UTF-8; rename it" in done.stderr
    assert "calls       1" in done.stdout


def test_a_run_over_everything_here_does_not_read_its_own_ledger(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(1), chat(2)]))
    for _ in range(3):
        done = tokenspread("run", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "calls       2" in done.stdout


def test_settings_stand_in_tokenspread_toml(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.jsonl").write_bytes(jsonl([chat(1)]))
    config = '[input]\nlogs = ["logs"]\ndata = "ledger"\nscenarios = ["-10%"]\n[attribution]\nfeature = "model"\n'
    (tmp_path / "tokenspread.toml").write_text(config)
    done = tokenspread("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "-10%" in done.stdout and "gpt-5-mini" in done.stdout
    assert (tmp_path / "ledger" / "warehouse.duckdb").exists()
    (tmp_path / "tokenspread.toml").write_text("[input]\nlog = 1\n")
    done = tokenspread("run", cwd=tmp_path)
    assert done.returncode == 1 and "[input] has no setting 'log'" in done.stderr
