"""Alerts on their way out, over real HTTP and by real commands: once each, again where they were not taken."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipelines import alert_book, alert_delivery, alert_desk, alert_rules, night_rules
from pipelines.alert_desk import Told
from pipelines.errors import UserError
from pipelines.manifest import now
from pipelines.settings import Settings
from pipelines.summaries import Alert

DAY = date(2026, 3, 20)
SECRET = "T0KEN"


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_delivery, "DELAYS_SECONDS", (0, 0))


class Receiver:
    """What came in, and what is answered: one status for each request, the last one for all after."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.messages, self.requests = list(statuses), [], []
        self.url = ""

    def status(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    found = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append((self.command, self.path, self.headers["Content-Type"]))
            status = found.status()
            if status == 200:
                found.messages.append(json.loads(body))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", found.url + "/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def spend(name: str = "reply", impact: str = "2.340000000000") -> Alert:
    return Alert(json.dumps(["spend", name]), "spend", DAY, f"feature {name} cost", "feature", name, Decimal(impact))


def event(name: str, day: date = DAY) -> Alert:
    return Alert(
        json.dumps(["model_swap", name, str(day)]), "model_swap", day, f"feature {name} leapt", "feature", name
    )


def tell(folder: Path, *alerts: Alert, judged: tuple[str, ...] = ("spend",), **told: Any) -> Told:
    """One night's alerts, with [alerts] as `told`."""
    settings = Settings(data=folder / "data", night_tables={"alerts": told})
    return alert_desk.tell(settings, night_rules.rules(settings), list(alerts), judged, now())


def rows(folder: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(folder / "data" / "manifest.sqlite")
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute("select * from alert order by alert_id")]
    connection.close()
    return found


def nights_were(folder: Path, *days: date) -> None:
    connection = sqlite3.connect(folder / "data" / "manifest.sqlite")
    connection.executemany("insert into night (day, status) values (?, 'published')", [(str(day),) for day in days])
    connection.commit()
    connection.close()


def test_one_message_for_all_that_is_new_and_none_where_nothing_is(tmp_path):
    gate = alert_rules.of_gate(["unpriced: 1 of 2"], DAY)[0]
    with receiver(200) as hook:
        assert tell(tmp_path, webhook=hook.url) == Told([], None)
        assert hook.requests == []
        first = tell(tmp_path, spend(), gate, judged=("spend", "gate"), webhook=hook.url)
        assert first == Told([spend(), gate], None)
        assert tell(tmp_path, spend(), gate, judged=("spend", "gate"), webhook=hook.url) == Told([], None)
    (message,) = hook.messages
    assert hook.requests == [("POST", f"/{SECRET}", "application/json")]
    assert message["text"].splitlines() == [
        "tokenspread, data: 2 alerts", "gate: not published: unpriced: 1 of 2", "spend: feature reply cost"
    ]  # fmt: skip
    assert message["data"] == "data"
    at = rows(tmp_path)[0]["first_at"]
    assert message["alerts"][1] == {
        "alert_id": 1, "kind": "spend", "day": "2026-03-20", "dimension": "feature", "name": "reply",
        "text": "feature reply cost", "impact_usd": "2.340000000000", "first_at": at,
    }  # fmt: skip
    assert message["alerts"][0]["impact_usd"] is None
    assert abs((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()) < 3600
    assert all(row["sent_at"] for row in rows(tmp_path))


def test_a_receiver_that_is_away_for_a_moment_is_tried_again(tmp_path):
    with receiver(503, 429, 200) as hook:
        assert tell(tmp_path, spend(), webhook=hook.url) == Told([spend()], None)
    assert (len(hook.requests), len(hook.messages)) == (3, 1)


def test_what_was_not_taken_is_tried_again_the_next_night_with_the_same_id(tmp_path):
    with receiver(500, 500, 500, 200) as hook:
        told = tell(tmp_path, spend(), event("triage"), judged=("spend", "model_swap"), webhook=hook.url)
        assert told.trouble == "127.0.0.1 answered 500"
        assert len(hook.requests) == 3
        assert tell(tmp_path, spend("sort"), webhook=hook.url) == Told([spend("sort")], None)
    assert [[alert["alert_id"] for alert in message["alerts"]] for message in hook.messages] == [[1, 3, 2]]


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (404, "127.0.0.1 answered 404"),
        (302, "127.0.0.1 answered 302, which leads elsewhere: set the address that it leads to"),
        (307, "127.0.0.1 answered 307, which leads elsewhere: set the address that it leads to"),
    ],
)
def test_a_refusal_is_not_tried_again_and_nobody_is_sent_elsewhere(tmp_path, status, trouble):
    with receiver(status, 200) as hook:
        assert tell(tmp_path, spend(), webhook=hook.url).trouble == trouble
    assert len(hook.requests) == 1
    assert rows(tmp_path)[0]["sent_at"] is None


def test_no_trouble_shows_the_address(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    trouble = tell(tmp_path, spend(), webhook=f"http://127.0.0.1:1/{SECRET}").trouble
    assert trouble
    shown = capfd.readouterr()
    assert SECRET not in trouble + caplog.text + shown.out + shown.err
    assert SECRET not in (tmp_path / "data" / "manifest.sqlite").read_bytes().decode("latin-1")


@pytest.mark.parametrize("url", [f"http://127.0.0.1:{SECRET}/", f"http://[{SECRET}/", f"http:///{SECRET} x"])
def test_what_is_no_address_is_refused_and_not_shown(tmp_path, url):
    with pytest.raises(UserError, match="is no address") as refused:
        tell(tmp_path, spend(), webhook=url)
    assert SECRET not in str(refused.value)


def test_no_proxy_stands_between_us_and_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with receiver(200) as hook:
        assert tell(tmp_path, spend(), webhook=hook.url).trouble is None
        assert tell(tmp_path, spend("b"), webhook=hook.url.replace("127.0.0.1", "localhost")).trouble is None
    assert len(hook.messages) == 2
    assert tell(tmp_path, spend("c"), webhook="http://alerts.invalid/").trouble == "alerts.invalid: Connection refused"


def command(folder: Path, code: str) -> list[str]:
    """A program that runs `code`, with `out`, a file beside it."""
    program = folder / "program.py"
    program.write_text(f"import json, sys, time\nout = open({str(folder / 'out')!r}, 'a')\n{code}\n")
    return [sys.executable, str(program)]


def test_a_command_gets_the_message_on_its_standard_input(tmp_path, capfd):
    code = "print('not for our log'); print(sys.argv[1:], json.load(sys.stdin), file=out)"
    words = [*command(tmp_path, code), "$HOME; a word"]
    assert tell(tmp_path, spend(), command=words) == Told([spend()], None)
    told = (tmp_path / "out").read_text()
    assert told.startswith("['$HOME; a word'] {'text': 'tokenspread, data: 1 alert")
    assert "not for our log" not in "".join(capfd.readouterr())


def test_what_a_command_ends_with_is_told(tmp_path, monkeypatch):
    failing = command(tmp_path, "print('tried', file=out); sys.exit(7)")
    name = Path(sys.executable).name
    assert tell(tmp_path, spend(), command=failing).trouble == f"command {name} ended with exit code 7"
    assert (tmp_path / "out").read_text().count("tried") == 3
    missing = tell(tmp_path, command=[str(tmp_path / "no such program")]).trouble
    assert missing == "command no such program cannot be run: No such file or directory"
    monkeypatch.setattr(alert_delivery, "COMMAND_SECONDS", 0.2)
    slow = command(tmp_path, "time.sleep(60)")
    assert tell(tmp_path, command=slow).trouble == f"command {name} did not end within 0.2 s"
    assert tell(tmp_path, command=["true"]).trouble is None
    assert tell(tmp_path, command=failing).trouble is None


def test_a_command_need_not_read_what_it_is_given(tmp_path):
    many = [spend(f"feature-{number}" * 20) for number in range(1000)]  # more than a pipe holds
    assert tell(tmp_path, *many, command=["true"]).trouble is None


def test_a_channel_that_took_it_does_not_hear_it_again_for_the_others_trouble(tmp_path):
    with receiver(200) as hook:
        both = {"webhook": hook.url, "command": [str(tmp_path / "missing")]}
        assert "missing" in tell(tmp_path, spend(), **both).trouble
        assert "missing" in tell(tmp_path, spend(), **both).trouble
        assert len(hook.messages) == 1
        assert rows(tmp_path)[0]["sent_at"] is None
        mended = both | {"command": command(tmp_path, "print(json.load(sys.stdin)['alerts'][0]['alert_id'], file=out)")}
        assert tell(tmp_path, spend(), **mended).trouble is None
        assert tell(tmp_path, spend(), **mended).trouble is None
    assert (tmp_path / "out").read_text() == "1\n"
    assert len(hook.messages) == 1
    assert rows(tmp_path)[0]["sent_at"]


def test_killed_after_it_was_delivered_it_is_delivered_again(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with receiver(200) as hook:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(alert_book, "mark_sent", killed)
            tell(tmp_path, spend(), webhook=hook.url)
        # by then it holds no more: what was to be told is told
        assert tell(tmp_path, webhook=hook.url) == Told([], None)
        assert tell(tmp_path, webhook=hook.url) == Told([], None)
    assert [message["alerts"][0]["alert_id"] for message in hook.messages] == [1, 1]


def test_without_a_channel_alerts_are_noted_and_a_later_one_is_not_flooded(tmp_path):
    old, news, by_backfill = date(2026, 3, 10), date(2026, 3, 19), date(2026, 3, 1)
    kinds = ("spend", "model_swap")
    assert tell(tmp_path, spend("over"), spend("goes on"), event("a", old), judged=kinds).trouble is None
    tell(tmp_path, spend("goes on"), event("a", news), event("a", by_backfill), judged=kinds)
    assert [row["sent_at"] for row in rows(tmp_path)] == [None] * 5
    nights_were(tmp_path, by_backfill, old, DAY)
    with receiver(200) as hook:
        assert tell(tmp_path, spend("goes on"), judged=kinds, webhook=hook.url) == Told([], None)
        told = tell(tmp_path, spend("goes on"), event("b", by_backfill), judged=kinds, webhook=hook.url)
        assert told.new == [event("b", by_backfill)]  # an old day's event is in the book, and no news
    (message,) = hook.messages
    assert [(alert["name"], alert["day"]) for alert in message["alerts"]] == [
        ("goes on", "2026-03-20"), ("a", "2026-03-19")
    ]  # fmt: skip


def test_a_long_list_is_cut_in_the_text_and_whole_in_the_list(tmp_path):
    with receiver(200) as hook:
        tell(tmp_path, *(spend(f"feature-{number}") for number in range(25)), webhook=hook.url)
    (message,) = hook.messages
    lines = message["text"].splitlines()
    assert (len(lines), lines[-1]) == (22, "and 5 more")
    assert len(message["alerts"]) == 25


def test_a_message_names_no_more_of_the_data_than_its_folder(tmp_path):
    settings = Settings(data=tmp_path / "a\x1bfolder", night_tables={})
    rules = night_rules.rules(settings)
    with receiver(200) as hook:
        rules = replace(rules, alerts=replace(rules.alerts, webhook=hook.url))
        alert_desk.tell(settings, rules, [spend()], ("spend",), now())
    (message,) = hook.messages
    assert message["data"] == "a\x1bfolder"
    assert message["text"].startswith("tokenspread, a\\x1bfolder: 1 alert\n")
    assert str(tmp_path) not in json.dumps(message)


def test_a_night_goes_on_where_nobody_can_be_told_and_shows_no_secret(tmp_path):
    line = {"called_at": f"{DAY}T12:00:00Z", "model": "gpt-5-mini", "input_tokens": 10**6, "output_tokens": 1}
    (tmp_path / "log.jsonl").write_text(json.dumps(line) + "\n")
    config = tmp_path / "tokenspread.toml"
    config.write_text('[input]\nlogs = ["log.jsonl"]\ndata = "data"\n[[alerts.spend]]\nlimit_usd = 0.01\n')
    run = [sys.executable, "-c", "from pipelines.cli import main; main()", "nightly", "--day", str(DAY)]
    with receiver(404, 200) as hook:
        environment = os.environ | {"TOKENSPREAD_ALERT_WEBHOOK": hook.url}
        for trouble in ("127.0.0.1 answered 404", None):
            done = subprocess.run(
                [*run, "--config", str(config), "--log-json"],
                cwd=Path(__file__).parents[2],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            (stage,) = [told for told in map(json.loads, done.stderr.splitlines()) if told["stage"] == "alert"]
            assert stage["trouble"] == trouble
            assert SECRET not in done.stdout + done.stderr
    (message,) = hook.messages
    assert message["alerts"][0]["text"] == "all calls cost 0.25 USD on 2026-03-20, limit 0.01 USD"
