"""No prompt and no answer is kept or printed: a canary stands for them in every text of every shape, and is nowhere."""

import csv
import gzip
import io
import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import cli, intake, log_files, nights, reader, readings, sniff, stages, tracebacks
from pipelines.errors import NotPublished, UserError
from pipelines.exact import lines_of
from pipelines.settings import Settings
from tests.pipelines.logs import balance, chat, ingest, jsonl, ledger_rows, quarantine_rows
from tests.privacy.canary import CANARY, TEXT, in_bytes, in_folder, leaves, planted, with_text_at
from transforms import attribution

SAMPLES = Path(__file__).parents[2] / "sample_logs"
SHARED = Path(__file__).parents[3] / "shared" / "format_samples"
NOT_LOGS = ("EXPECTED.json", "README.md", "PROVENANCE.md")
LOGS = [path for path in sorted((SAMPLES / "shapes").iterdir()) if path.name not in NOT_LOGS]
LOGS += [path for path in sorted((SAMPLES / "support_desk").rglob("*.jsonl")) if path.stem != "outcomes"]
DAY = date(2026, 11, 21)


def records_of(path: Path) -> list[Any]:
    """One after another, however they are laid out."""
    text, place, records = path.read_text(encoding="utf-8").strip(), 0, []
    while place < len(text):
        record, place = json.JSONDecoder().raw_decode(text, place)
        records.append(record)
        place += len(text[place:]) - len(text[place:].lstrip())
    return records


def planted_csv(path: Path) -> str:
    """One more column, whose cells are texts."""
    header, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    told = io.StringIO()
    csv.writer(told).writerows([[*header, "remark"], *([*row, TEXT] for row in rows)])
    return told.getvalue()


def plant(path: Path, folder: Path) -> Path:
    target = folder / path.name
    if path.suffix == ".csv":
        target.write_text(planted_csv(path), encoding="utf-8")
    else:
        target.write_text("".join(json.dumps(planted(one)) + "\n" for one in records_of(path)), encoding="utf-8")
    assert CANARY in target.read_text(encoding="utf-8")
    return target


def command(*arguments: object) -> str:
    """All that a command prints, and what would be printed of its error; in this process."""
    done = CliRunner().invoke(cli.app, list(map(str, arguments)))
    said = done.output
    if done.exception and not isinstance(done.exception, SystemExit):
        error = done.exception
        said += str(error) if isinstance(error, UserError | NotPublished) else tracebacks.told(error)
    return said


def outputs(data: Path, *logs: Path) -> str:
    queries = [f"from {name}" for name in ("calls", "quarantine", "files", "runs", "guard_findings", "outcomes")]
    commands: list[Iterable[object]] = [
        *(("report", "--by", by) for by in cli.GROUPINGS),
        ("report", "--json"),
        *(("sql", query, "--format", output) for query in queries for output in ("csv", "json")),
        ("sql", "select no_such_column from calls"),
        ("status",), ("status", "--json"), ("economics",), ("reprice", "-30%"), ("prices", "show"),
        ("forget-user", "nobody at all"), ("prune", "--before", "2020-01-01"),
    ]  # fmt: skip
    told = [command(*words, "--data", data) for words in commands]
    return "".join([*told, command("shapes"), *(command("inspect", log) for log in logs)])


def test_good_lines_of_every_shape(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    logs = [plant(path, folder_for(tmp_path, path)) for path in LOGS]
    for path, log in zip(LOGS, logs, strict=True):
        ingest(tmp_path / "plain" / path.parent.name / path.name, path)
        ingest(tmp_path / "each" / path.parent.name / path.name, log)
        counts = [balance(tmp_path / name / path.parent.name / path.name) for name in ("plain", "each")]
        numbers = [
            [value for name, value in file.items() if name.endswith("line_count") or name == "shape"]
            for found in counts
            for file in found
        ]
        assert numbers[0] == numbers[-1], path  # the shape still reads what it read
    data = tmp_path / "data"
    said = command("run", *logs, "--data", data) + outputs(data, *logs)
    assert ledger_rows(data).height > 300
    assert not in_bytes((said + caplog.text + "".join(capfd.readouterr())).encode())
    assert in_folder(data) == []


def folder_for(tmp_path: Path, path: Path) -> Path:
    folder = tmp_path / "logs" / path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is absent: its samples are not part of the project")
def test_good_lines_of_collected_samples(tmp_path, capfd):
    paths = [path for path in sorted(SHARED.iterdir()) if path.suffix in (".jsonl", ".csv", ".log")]
    logs = [plant(path, folder_for(tmp_path, path)) for path in paths]
    said = command("ingest", *logs, "--data", tmp_path / "data")
    assert not in_bytes((said + "".join(capfd.readouterr())).encode())
    assert in_folder(tmp_path / "data") == []
    assert ledger_rows(tmp_path / "data").height > 50


# Columns whose text a shape takes from the log on purpose: names of models, persons, things and places.
NAMES = {
    "response_id", "provider", "model", "model_requested", "model_served", "service_tier", "region", "feature",
    "user_id", "customer_id", "action_id", "environment", "outcome",
}  # fmt: skip


@pytest.mark.parametrize("path", [path for path in LOGS if path.suffix != ".csv"], ids=lambda path: path.name)
def test_each_text_by_itself_is_a_name_or_is_left_out(path, tmp_path):
    """One record for each string of a record, with the canary in its place: whatever the shape makes of it, also where
    it refuses the line for it, only names of things are taken over."""
    settings = Settings()
    known, rules = readings.known_shapes(settings)
    records = records_of(path)[:4]
    changed = [with_text_at(record, place) for record in records for place in leaves(record)]
    (tmp_path / "log.jsonl").write_bytes(jsonl(records_of(path)))
    (log,) = log_files.find([str(tmp_path / "log.jsonl")]).files
    shape = readings.chosen(settings, known, sniff.look(log, settings.bounds))
    lines = lines_of(changed, shape.columns)
    lines = shape.opened(lines, shape.attributes) if shape.opened else lines
    told = attribution.attribute(shape.calls(lines), rules)
    texts = [name for name, dtype in told.schema.items() if dtype == pl.String]
    holding = {name for name in texts if told[name].str.contains(CANARY).any()}
    assert holding <= NAMES | ({"status"} if path.stem == "tokenspread" else set())  # which this schema names so


GOOD = jsonl([chat(1), chat(2)])
BAD_LINES: dict[str, bytes] = {
    "cut": b'{"id": "x", "choices": [{"message": {"content": "%s'.replace(b"%s", CANARY.encode()),
    "glued": b'{"choices": [], "note": "' + CANARY.encode() + b'"}{"id": "y"}',
    "twice": b'{"%s": 1, "%s": 2, "usage": {}}'.replace(b"%s", CANARY.encode()),
    "text": json.dumps(TEXT).encode(),
    "list": json.dumps([TEXT]).encode(),
    "prose": b"INFO said " + CANARY.encode(),
    "comma": b'{"note": "' + CANARY.encode() + b'",}',
    "apostrophes": b"{'note': '" + CANARY.encode() + b"'}",
    "nan": b'{"note": "' + CANARY.encode() + b'", "cost": NaN}',
    "utf8": b'{"note": "' + CANARY.encode() + b'\xff\xfe"}',
    "control": b'{"note": "' + CANARY.encode() + b'\x01\x00"}',
    "surrogate": b'{"note": "' + CANARY.encode() + b'\\ud800"}',
    "deep": b'{"note": ' + b"[" * 2000 + b'"' + CANARY.encode() + b'"' + b"]" * 2000 + b"}",
    "key": b'{"' + CANARY.encode() + b'": {"' + CANARY.encode() + b'": 1}}',
    "long": b'{"note": "' + (CANARY * 600_000).encode() + b'"}',
    **{
        f"{name} {kind}": json.dumps(chat(5) | told).encode()
        for kind, value in {"text": TEXT, "object": {CANARY: TEXT}, "list": [TEXT]}.items()
        for name, told in {
            "usage": {"usage": value},
            "count": {"usage": {"prompt_tokens": value, "completion_tokens": 1}},
            "detail": {"usage": chat(5)["usage"] | {"prompt_tokens_details": {"cached_tokens": value}}},
            "time": {"created": value},
            "object": {"object": value},
            "choices": {"choices": value},
        }.items()
    },
}


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_every_fault_and_files_that_are_refused(tmp_path, caplog, capfd, packed):
    caplog.set_level(logging.DEBUG)
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, line in BAD_LINES.items():
        whole = GOOD + line + b"\n" + jsonl([chat(3)])
        (logs / f"{name}.jsonl").write_bytes(gzip.compress(whole) if packed else whole)
    text = CANARY.encode()
    others = {
        "utf16.jsonl": (GOOD.decode() + CANARY).encode("utf-16"),
        "half.jsonl.gz": gzip.compress(jsonl(chat(n) | {"note": os.urandom(64).hex() + CANARY} for n in range(99)))[
            :-40
        ],
        "unknown.jsonl": jsonl([{f"{CANARY} is": 1, "note": TEXT, f"why {CANARY}": 2}]),
        "prose.txt": text * 20,
        "table.csv": b"model,note\n" + b'gpt,"' + text + b"\n" + text,
        "header.csv": text + b" is,a " + text + b"\n1,2\n",
        "pretty.json": json.dumps({"note": TEXT, f"why {CANARY}": [chat(1)]}, indent=2).encode(),
        "broken.parquet": b"PAR1" + text + b"PAR1",
        "apim_llm.csv": (SAMPLES / "shapes" / "apim_llm.csv").read_bytes() + text + b',"' + text + b"\n",
    }
    for name, content in others.items():
        (logs / name).write_bytes(content)
    pl.DataFrame({f"why {CANARY}": [TEXT], "model": [TEXT]}).write_parquet(logs / "unknown.parquet")
    pl.DataFrame([chat(9) | {"created": TEXT, "note": TEXT, "usage": TEXT}]).write_parquet(logs / "chat.parquet")
    data = tmp_path / "data"
    keyed = ("unknown", "header", "table", "pretty", "key")  # whose fields `inspect` names, to be mapped
    inspected = [path for path in sorted(logs.iterdir()) if path.stem not in keyed]
    said = command("run", logs, "--data", data)
    said += command("sql", "from quarantine", "--format", "json", "--data", data) + command("status", "--data", data)
    said += "".join(command("inspect", path) for path in inspected if not packed)
    said += "".join(command("ingest", path, "--data", tmp_path / "named") for path in sorted(logs.iterdir()))
    assert quarantine_rows(data).height > 20
    said = said + caplog.text + "".join(capfd.readouterr())
    assert not in_bytes(said.encode(errors="surrogateescape")), around(said)
    assert in_folder(data) == []


def around(text: str) -> str:
    place = text.find(CANARY)
    return text[max(place - 300, 0) : place + 100]


def test_small_files_that_are_no_such_files(tmp_path):
    """A log given for revenue, prices, outcomes, scenarios, a bill or the settings is refused, and not cited."""
    (tmp_path / "log.jsonl").write_bytes(GOOD)
    wrong = {
        "log.txt": jsonl([chat(1) | {"note": TEXT}]), "prose.toml": TEXT.encode(),
        "cells.csv": f"why {CANARY},b\n1,2\n".encode(),
        "answer.csv": f'"{CANARY} is, what I say",revenue_usd\n1,2\n'.encode(),
    }  # fmt: skip
    said = ""
    for name, content in wrong.items():
        path = tmp_path / name
        path.write_bytes(content)
        for option in ("--revenue", "--prices", "--scenario", "--config"):
            said += command("run", tmp_path / "log.jsonl", option, path, "--data", tmp_path / "data")
        said += command("ingest", "--outcomes", path, "--data", tmp_path / "data")
        said += command("reconcile", path, "--data", tmp_path / "data")
        said += command("prices", "import", path, "--data", tmp_path / "data")
    assert len(said) > 1000
    assert not in_bytes(said.encode()), around(said)
    assert in_folder(tmp_path / "data") == []


# An error that nobody expected, with what a log says in it
@pytest.mark.parametrize("place", [(intake.Intake, "look"), (reader.Reader, "read_fast"), (stages, "_commit")])
def test_an_unexpected_error_shows_types_and_places(tmp_path, monkeypatch, capfd, place):
    owner, name = place

    def fails(*_: object, **__: object) -> None:
        try:
            json.loads(TEXT)
        except ValueError as error:
            raise RuntimeError(f"cannot read {TEXT}") from error

    monkeypatch.setattr(owner, name, fails)
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(1) | {"note": TEXT}]))
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    cli.main(["run", str(tmp_path / "log.jsonl"), "--data", str(tmp_path / "data")])
    said = capfd.readouterr().err
    assert codes == [70]
    assert "builtins.RuntimeError" in said and "json.decoder.JSONDecodeError" in said
    assert f'File "{intake.__file__}"' in said or f'File "{stages.__file__}"' in said
    assert "PYTHONDEVMODE=1" in said and not in_bytes(said.encode())
    assert in_folder(tmp_path / "data") == []


def test_a_night_with_its_alerts(tmp_path, capfd):
    got: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])) + str(self.headers).encode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "good.jsonl").write_bytes(jsonl(planted(chat(n)) | {"note": TEXT} for n in range(9)))
    (logs / "bad.jsonl").write_bytes(
        GOOD + b"\n".join(BAD_LINES[name] for name in ("cut", "twice", "count text")) + b"\n"
    )
    (logs / "half.gz").write_bytes(gzip.compress(jsonl([{"note": TEXT}]))[:-9])
    program = f"import sys; open({str(tmp_path / 'told')!r}, 'ab').write(sys.stdin.buffer.read())"
    secret = f"http://127.0.0.1:{server.server_port}/secret-of-the-hook"
    tables = {
        "gate": {"quarantined": "100%", "unpriced": "100%", "calls_of_usual": "0%"},
        "alerts": {"webhook": secret, "command": [sys.executable, "-c", program], "spend": {"limit_usd": "0.000001"}},
    }
    settings = Settings(logs=(str(logs),), data=tmp_path / "data", night_tables=tables)
    told: list[str] = []
    nights.run(settings, DAY, tell=lambda *words, **figures: told.append(f"{words} {figures}"))
    strict = tables | {"gate": {"quarantined": "0%"}}
    (logs / "more.jsonl").write_bytes(GOOD.replace(b"chatcmpl-", b"chatcmpl-9") + BAD_LINES["nan"] + b"\n")
    with pytest.raises(NotPublished) as stopped:
        nights.run(
            Settings(logs=(str(logs),), data=tmp_path / "data", night_tables=strict),
            DAY,
            tell=lambda *w, **f: told.append(f"{w} {f}"),
        )
    server.shutdown()
    assert len(got) == 2 and (tmp_path / "told").stat().st_size
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    said = [*got, (tmp_path / "told").read_bytes(), *(text.encode() for text in told), str(stopped.value).encode()]
    said += [command("status", "--data", tmp_path / "data").encode(), "".join(capfd.readouterr()).encode()]
    assert not any(map(in_bytes, said)) and in_folder(tmp_path / "data") == []
    assert b"secret-of-the-hook" not in b"".join(said) + kept + repr(settings).encode()


def test_the_search_sees_what_it_looks_for(tmp_path):
    """In each kind of file, compressed or not, and in each form."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl([chat(1) | {"id": CANARY}]))
    ingest(tmp_path / "data", log)
    stages.build(Settings.load(data=tmp_path / "data"))
    places = " ".join(in_folder(tmp_path / "data"))
    for kind in ("column response_id", "warehouse.duckdb, main.calls", "ledger/"):
        assert kind in places
    (tmp_path / "data" / "reports").mkdir()
    import base64

    for form in (
        CANARY.encode("utf-16"),
        base64.b64encode(b"a" + CANARY.encode() + b"b"),
        base64.b64encode(CANARY.encode()),
    ):
        (tmp_path / "data" / "reports" / "x").write_bytes(form)
        assert any("reports/x" in place for place in in_folder(tmp_path / "data")), form
