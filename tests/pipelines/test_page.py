"""The page as a file: what is in it, and how it is written."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli, nights, pages, retention, scenario_desk, stages
from pipelines.errors import UserError
from pipelines.report.page import history, html, numbers
from pipelines.report.page.asked import Asked
from pipelines.settings import Settings
from tests.pipelines.night_logs import jsonl

DAY = date(2026, 11, 3)
HOSTILE = "</script><script>alert(1)</script>\u2028{{script}}&amp;"
VOID = {"meta", "link", "br", "img", "input"}


def call(number: int, **more: object) -> dict[str, object]:
    return {
        "call_id": f"c-{number}",
        "called_at": f"2026-11-0{number % 3 + 1}T10:00:00Z",
        "provider": "openai",
        "model": "gpt-5-mini",
        "feature": HOSTILE,
        "user_id": f"u-{number % 4}",
        "action_id": f"a-{number}",
        "input_tokens": 1000 + number,
        "output_tokens": 100,
        **more,
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "calls.jsonl").write_bytes(jsonl(call(number) for number in range(20)))
    return Settings.load(None, logs=[str(tmp_path / "calls.jsonl")], data=tmp_path / "data")


@pytest.fixture
def asks(settings: Settings) -> list[Any]:
    stages.ingest(settings)
    stages.build(settings)
    link = settings.data / "warehouse.duckdb"
    return [partial(stages.query, settings), partial(scenario_desk.costs_apart, settings, link), link.resolve().name]


class Elements(HTMLParser):
    """Elements that are open, and what was met: attributes by tag, and the text of scripts and styles by id or tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} ends what it did not begin"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            name = self.met[-1][1].get("id") or self.open[-1]
            self.texts[name] = self.texts.get(name, "") + data


def unpacked(text: str) -> str:
    return gzip.decompress(base64.b64decode(text)).decode()


def test_it_is_whole_and_names_no_host(asks: list[Any]) -> None:
    text = html.page(*asks)
    page = Elements(text)
    assert page.open == []
    assert [tag for tag, _ in page.met if tag == "script"] == ["script"] * 4, "a name from the log opened one"
    assert not [attrs for _, attrs in page.met if {"src", "style", "onload", "action"} & attrs.keys()]
    assert [attrs["href"] for _, attrs in page.met if "href" in attrs] == ["#main"]
    assert re.findall(r"https?:|//[a-z]+\.", text) == []
    opening = json.loads(page.texts["opening"])
    assert opening["features"]["name"] == [HOSTILE.replace("\u2028", "\\u2028")]
    assert not set("<>&\u2028") & set(page.texts["opening"])
    rest = json.loads(unpacked(page.texts["rest"]))
    assert rest["users"]["name"] == ["u-3", "u-2", "u-1", "u-0"]
    assert "from unit_economics" in rest["sql"]["Features"][0] and "one row" in rest["models"]["unit_economics"]
    assert "p99_tokens" in rest["models"]["action_figures"], "what it reads is not published, and shown all the same"


def test_its_policy_names_its_own_scripts_and_no_other(asks: list[Any]) -> None:
    page = Elements(html.page(*asks))
    policy = next(attrs["content"] for _, attrs in page.met if attrs.get("http-equiv") == "Content-Security-Policy")
    texts = [page.texts["script"], unpacked(page.texts["library"]), page.texts["style"]]
    hashes = [f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in texts]
    assert re.findall(r"'(sha256-[^']+)'", policy) == hashes
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy


def test_equal_tables_make_equal_bytes(asks: list[Any]) -> None:
    assert html.page(*asks) == html.page(*asks)


def test_the_command_replaces_no_file_unasked_and_none_of_a_data_folder(asks: list[Any], settings: Settings) -> None:
    mine = settings.data.parent / "mine.html"
    mine.write_text("mine")
    for path, why in {
        mine: "is there already",
        settings.data.parent: "is a folder",
        settings.data / "manifest.sqlite": "is in the data folder",
        settings.data / "reports" / "weekly.html": "is in the data folder",
        settings.data.parent / "no" / "page.html": "cannot be written",
    }.items():
        with pytest.raises(UserError, match=why):
            pages.write(settings, path, overwrite=False)
    assert mine.read_text() == "mine"
    pages.write(settings, mine, overwrite=True)
    assert mine.read_text() == html.page(*asks)
    assert mine.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in mine.parent.glob(".*")] == []


def test_a_page_is_of_one_publication(asks: list[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is published while it asks its questions."""
    page, asked_count = html.page, 0
    expected = page(*asks)

    def publishing(ask: Any, *others: Any) -> str:
        def asked(sql: str) -> Any:
            nonlocal asked_count
            asked_count += 1
            if asked_count == 10:
                (settings.data.parent / "more.jsonl").write_bytes(jsonl(call(number) for number in range(20, 40)))
                more = replace(settings, logs=(str(settings.data.parent / "more.jsonl"),))
                stages.ingest(more)
                stages.build(more)
            return ask(sql)

        return page(asked, *others)

    monkeypatch.setattr(html, "page", publishing)
    path = settings.data.parent / "page.html"
    pages.write(settings, path, overwrite=False)
    assert path.read_text() == expected
    pages.write(settings, path, overwrite=True)
    assert path.read_text() != expected


def test_a_night_leaves_a_page_that_its_owner_alone_can_read(settings: Settings) -> None:
    nights.run(settings, DAY)
    page = settings.data / "report.html"
    assert page.stat().st_mode & 0o777 == 0o600
    assert Elements(page.read_text()).open == []
    written = page.stat().st_mtime_ns
    nights.run(settings, DAY)
    assert page.stat().st_mtime_ns == written, "nothing was published, and it was written again"


def test_a_night_that_cannot_write_its_page_has_a_note(settings: Settings) -> None:
    (settings.data / "report.html").mkdir(parents=True)
    night = nights.run(settings, DAY)
    assert night.status == "published"
    assert [note for note in night.notes if note.startswith("report.html could not be written: ")] == night.notes
    assert "note        report.html could not" in (settings.data / "reports" / f"{DAY}.txt").read_text()


def test_what_is_shown_is_as_the_terminal_rounds_it() -> None:
    assert [numbers.shown(Decimal(text)) for text in ("0.000123456", "1234.565", "0", "12345678901234.5")] == [
        0.0001235, 1234.56, 0, "12345678901234.50"
    ]  # fmt: skip
    assert numbers.atto(Decimal("-1.000000000000000001")) == "-1000000000000000001"
    shares = (None, 0.0, -0.3034, 0.00004, 0.9996, 12.5)
    assert [numbers.percent(part) for part in shares] == [None, 0, -30.3, 0.004, 99.96, 1250]


@pytest.mark.parametrize(
    ("first", "last", "name", "days"),
    [
        ("2026-01-15", "2026-04-02", "the last two whole months", "2026-02-01 2026-02-28 2026-03-01 2026-03-31"),
        ("2026-02-01", "2026-03-31", "the last two whole months", "2026-02-01 2026-02-28 2026-03-01 2026-03-31"),
        ("2026-02-02", "2026-03-31", "the two halves of the log", "2026-02-02 2026-03-02 2026-03-03 2026-03-31"),
        ("2026-01-01", "2026-01-02", "the two halves of the log", "2026-01-01 2026-01-01 2026-01-02 2026-01-02"),
        (
            "2026-01-01",
            "2026-01-03",
            "the two halves of the log, without 2026-01-02 in the middle",
            "2026-01-01 2026-01-01 2026-01-03 2026-01-03",
        ),
    ],
)
def test_the_periods_of_the_bridge_are_as_long_as_each_other(first: str, last: str, name: str, days: str) -> None:
    told = history.periods(date.fromisoformat(first), date.fromisoformat(last))
    assert told == (name, tuple(map(date.fromisoformat, days.split())))


def test_who_is_forgotten_is_in_no_page(settings: Settings) -> None:
    nights.run(settings, DAY)
    page = settings.data / "report.html"
    assert '"u-3"' in unpacked(Elements(page.read_text()).texts["rest"])
    retention.forget_user(settings, "u-3")
    assert not page.exists(), "its data is packed, so it is not searched"
    nights.run(settings, DAY)
    assert '"u-3"' not in unpacked(Elements(page.read_text()).texts["rest"])


def test_the_command_writes_it(asks: list[Any], settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    cli.app(["report", "--html", str(path), "--data", str(settings.data)], standalone_mode=False)
    assert path.read_text() == html.page(*asks)


def test_spend_by_day_and_prices_that_changed_are_those_of_the_calls(tmp_path: Path) -> None:
    """By hand: a million input tokens a call, at 1 USD until the 2nd and 3 USD from then on; `other` has no price."""
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "provider,model,token_class,usd_per_million,valid_from,valid_to\n"
        "inhouse,kestrel,input,1,2026-01-01,2026-11-02\ninhouse,kestrel,output,0,2026-01-01,\n"
        "inhouse,kestrel,input,3,2026-11-02,\n"
    )
    kestrel = {"provider": "inhouse", "model": "kestrel", "input_tokens": 1_000_000, "output_tokens": 0}
    calls = [call(number, **kestrel) for number in range(9)]  # three on each of three days
    calls += [call(9, model="other", provider="inhouse"), call(10, **kestrel, called_at=None)]
    (tmp_path / "calls.jsonl").write_bytes(jsonl(calls))
    settings = Settings.load(None, logs=[str(tmp_path / "calls.jsonl")], data=tmp_path / "data", prices=prices)
    stages.ingest(settings)
    stages.build(settings)
    asked = Asked(partial(stages.query, settings))
    told = history.spend(asked, date(2026, 11, 1))
    assert told["models"] == ["inhouse/kestrel", "inhouse/other"]
    assert told["cells"] == [[0, 0, 3], [1, 0, 9], [2, 0, 9]]
    assert (told["day_count"], told["dearest_day"]) == (3, ["2026-11-03", 9])
    assert (told["undated"], told["unpriced_days"]) == (3, ["2026-11-01"])
    changes = history.events(asked)["prices"]
    change = {"day": "2026-11-02", "model": "inhouse/kestrel", "above": None, "from": 1, "to": 3}
    assert change | {"token_class": "input"} in changes
    assert all(row | {"token_class": "input"} == change | {"token_class": "input"} for row in changes)  # its caching
