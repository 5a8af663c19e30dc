"""What a night tells of the published warehouse, of its gate and of its failures, and that each is told once."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines import alert_book, alert_desk, alert_rules, night_rules, nights, stages
from pipelines.alert_rules import EVENTS, KINDS
from pipelines.errors import GateClosed, StorageTrouble, UserError
from pipelines.manifest import Manifest, now
from pipelines.settings import Settings
from pipelines.summaries import Alert
from tests.pipelines.logs import jsonl

DAY = date(2026, 3, 20)  # a Friday
PRICES = "provider,model,token_class,usd_per_million,valid_from\nlab,*,input,1000000,\nlab,*,output,0,\n"


def call(usd: int, day: date = DAY, feature: str = "reply", **more: Any) -> dict[str, Any]:
    """A call of `usd` USD: a token costs a dollar."""
    return {
        "called_at": f"{day}T12:00:00Z", "provider": "lab", "model": "m", "input_tokens": usd, "output_tokens": 0,
        "feature": feature,
    } | more  # fmt: skip


def unpriced(**more: Any) -> dict[str, Any]:
    return call(1, provider="nobody", model="nothing") | more


def shop(folder: Path, calls: Iterable[dict[str, Any]], revenue: str | None = None, **more: Any) -> Settings:
    """Settings of a folder with a log of `calls`; `more`: alerts, a table of settings, and others of Settings."""
    (folder / "log.jsonl").write_bytes(jsonl(calls))
    (folder / "prices.csv").write_text(PRICES)
    if revenue is not None:
        (folder / "revenue.csv").write_text(revenue)
        more["revenue"] = folder / "revenue.csv"
    return Settings(
        logs=(str(folder / "log.jsonl"),),
        prices=folder / "prices.csv",
        data=folder / "data",
        night_tables={"alerts": more.pop("alerts", {}), "gate": {"unpriced": "100%"}},
        **more,
    )


def append(folder: Path, calls: Iterable[dict[str, Any]]) -> None:
    with (folder / "log.jsonl").open("ab") as file:
        file.write(jsonl(calls))


def published(settings: Settings) -> Settings:
    stages.ingest(settings)
    stages.build(settings)
    return settings


def told(settings: Settings, day: date = DAY, kind: str | None = None) -> list[str]:
    """The texts of what holds on that day, of a kind."""
    alerts, _ = alert_desk.of_night(settings, night_rules.rules(settings), day, [])
    return [alert.text for alert in alerts if kind in (None, alert.kind)]


def night(settings: Settings, day: date = DAY, **more: Any) -> list[str]:
    """The keys of what a night tells anew."""
    return [alert.key for alert in nights.run(settings, day, **more).alerts]


def rows(settings: Settings, columns: str = "*") -> list[dict[str, Any]]:
    connection = sqlite3.connect(settings.data / "manifest.sqlite")
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute(f"select {columns} from alert order by alert_id")]
    connection.close()
    return found


def ended(settings: Settings) -> dict[str, bool]:
    """Whether the last row of each key is ended."""
    return {row["key"]: row["ended_at"] is not None for row in rows(settings)}


SPEND = {"by": "feature", "days": 7, "limit_usd": 10}
LIMIT = '["spend", "feature", "reply", 7, "10"]'


def test_spend_above_its_limit_in_the_days_to_the_night(tmp_path):
    calls = [
        call(6), call(5, DAY - timedelta(days=6)), call(100, DAY - timedelta(days=7)),
        call(10, feature="triage"),  # at the limit, not above it
        call(1, DAY + timedelta(days=1), feature="triage"), unpriced(feature="reply"),
    ]  # fmt: skip
    limits = [SPEND, SPEND | {"name": "reply"}, {"by": "all", "limit_usd": 15.5}, SPEND | {"limit_usd": 10.9}]
    settings = published(shop(tmp_path, calls, alerts={"spend": limits}))
    alerts, judged = alert_desk.of_night(settings, night_rules.rules(settings), DAY, [])
    once = "feature reply cost at least 11.00 USD in the 7 days to 2026-03-20 (1 call has no price), limit 10.00 USD"
    assert [(alert.text, alert.impact_usd) for alert in alerts] == [
        (once, Decimal(1)),
        (once, Decimal(1)),
        ("all calls cost at least 16.00 USD on 2026-03-20 (1 call has no price), limit 15.50 USD", Decimal("0.5")),
        (once.replace("10.00", "10.90"), Decimal("0.1")),
    ]
    assert {(alert.dimension, alert.name) for alert in alerts} == {("feature", "reply"), ("all", "all")}
    new = alert_desk.tell(settings, night_rules.rules(settings), alerts, judged, now()).new
    keys = [LIMIT, '["spend", "all", "all", 1, "15.5"]', LIMIT.replace("10", "10.9")]
    assert [alert.key for alert in new] == keys


def test_a_cost_next_to_its_limit_is_told_in_all_its_digits(tmp_path):
    limit = {"limit_usd": "4.999999999999"}
    settings = published(shop(tmp_path, [call(5)], alerts={"spend": limit}))
    assert told(settings) == ["all calls cost 5 USD on 2026-03-20, limit 4.999999999999 USD"]
    settings = replace(settings, night_tables={"alerts": {"spend": {"limit_usd": "5.000000000001"}}})
    assert told(settings) == []


def test_spend_is_told_when_it_goes_above_and_again_when_it_comes_back(tmp_path):
    settings = shop(tmp_path, [call(11)], alerts={"spend": SPEND})
    assert night(settings) == [LIMIT]
    assert night(settings) == []  # the same night again
    append(tmp_path, [call(1, DAY + timedelta(days=1))])
    assert night(settings, DAY + timedelta(days=1)) == []
    assert rows(settings, "text, day") == [
        {"text": "feature reply cost 12.00 USD in the 7 days to 2026-03-21, limit 10.00 USD", "day": "2026-03-21"}
    ]
    append(tmp_path, [call(1, DAY + timedelta(days=7))])
    assert night(settings, DAY + timedelta(days=7)) == []
    assert ended(settings) == {LIMIT: True}
    append(tmp_path, [call(10, DAY + timedelta(days=8))])
    assert night(settings, DAY + timedelta(days=8)) == [LIMIT]
    assert [row["ended_at"] is None for row in rows(settings)] == [False, True]


def test_an_old_night_and_a_day_beyond_the_log_leave_spend_as_it_is(tmp_path):
    before, later = DAY - timedelta(days=30), DAY + timedelta(days=2)
    limits = {"spend": [SPEND, SPEND | {"limit_usd": 40}], "anomalies": False}
    settings = shop(tmp_path, [call(50, before), call(11)], alerts=limits)
    assert night(settings) == [LIMIT]
    assert night(settings, before) == []  # its own cost, 50 USD, is above the other limit
    assert night(settings, before + timedelta(days=8)) == []
    assert night(settings, later) == []
    assert ended(settings) == {LIMIT: False}
    with pytest.raises(UserError, match="there is no night of 2999-01-01"):  # it would make old ones of all that come
        night(settings, date(2999, 1, 1))
    append(tmp_path, [call(30, later)])
    assert night(settings, later) == ['["spend", "feature", "reply", 7, "40"]']


REVENUE = "feature,customer_id,revenue_usd\n,acme,100\n,bolt,100\n,cord,100\n,dent,0\n"


def test_margins_below_the_target_in_the_scenario(tmp_path):
    calls = [
        call(50, customer_id="acme"),  # 75 at +50 %: 25 of 100 are left
        call(40, customer_id="bolt"),  # 60: 40
        call(40, customer_id="cord"), unpriced(customer_id="cord"),  # at most 40: unknown
        call(2, customer_id="dent"),
        call(500, customer_id="ever"),  # nobody told what they pay
    ]  # fmt: skip
    settings = published(shop(tmp_path, calls, REVENUE, target_margin_share="0.3"))
    rules = night_rules.rules(settings)
    alerts, judged = alert_desk.of_night(settings, rules, DAY, [])
    everything = (
        "all calls: at prices of +50% at most -648.00 USD are left of 300.00 USD revenue over the whole log, "
        "-216.0% of it (1 call has no price); target 30%"
    )
    acme = "at prices of +50% 25.00 USD are left of 100.00 USD revenue over the whole log, 25.0% of it; target 30%"
    assert [(alert.text, alert.impact_usd) for alert in alerts] == [
        (everything, Decimal(738)),
        ("customer dent: at prices of +50% -3.00 USD are left of 0.00 USD revenue over the whole log; target 30%", 3),
        (f"customer acme: {acme}", Decimal(5)),
    ]
    assert alert_desk.tell(settings, rules, alerts, judged, now()).new == alerts
    assert alert_desk.tell(settings, rules, alerts, judged, now()).new == []
    without_target = told(replace(settings, target_margin_share=None))
    assert [text.partition(":")[0] for text in without_target] == ["all calls", "customer dent"]


def test_a_margin_at_the_target_is_not_below_it(tmp_path):
    settings = published(shop(tmp_path, [call(40, customer_id="bolt")], REVENUE, target_margin_share="0.4"))
    assert not [text for text in told(settings) if "bolt" in text]
    assert [text for text in told(replace(settings, target_margin_share="0.400001")) if "bolt" in text]


def test_a_margin_scenario_that_is_not_published_is_told_once(tmp_path):
    settings = shop(tmp_path, [call(50, customer_id="acme")], REVENUE, scenarios=("-30%",))
    assert night(settings) == ['["margin", "+50%"]']
    assert night(settings) == []
    assert told(settings) == [
        "no margin is judged: scenario +50% of [alerts] margin_scenario is not published; "
        "name one of actual, -30%, or add it to scenarios in [input]"
    ]
    named = replace(settings, night_tables={"alerts": {"margin_scenario": "actual"}})
    assert night(named) == []
    assert ended(named) == {'["margin", "+50%"]': True}


def test_without_revenue_no_margin_is_judged(tmp_path):
    settings = published(shop(tmp_path, [call(50)], scenarios=("-30%",)))
    assert told(settings) == []


def swapped(on: date, count: int = 40) -> list[dict[str, Any]]:
    """A feature that takes 10 tokens or 11 an action until that day, and 20 or 21 of another model on it."""
    return [
        call(tokens + number % 2, on + timedelta(days=offset), model=model)
        for offset, model, tokens in ((-1, "m", 10), (0, "n", 20))
        for number in range(count)
    ]


def test_a_model_swap_is_told_once_with_what_it_costs(tmp_path):
    (tmp_path / "log.jsonl").touch()
    settings = shop(tmp_path, [*swapped(DAY, 40), unpriced(feature="sort")])
    (alert,) = [alert for alert in nights.run(settings, DAY).alerts if alert.kind == "model_swap"]
    assert alert.key == f'["model_swap", "reply", "lab", "m", "lab", "n", "{DAY}"]'
    assert alert.text.startswith(f"feature reply went from lab/m to lab/n on {DAY}; 1.95 times the tokens per action (")
    assert "1.95 times the cost per action (" in alert.text
    assert alert.text.endswith("; +400.00 USD a day since, at as many actions")
    assert alert.impact_usd == 400
    assert not [key for key in night(settings, DAY + timedelta(days=1)) if "model_swap" in key]
    (row,) = [row for row in rows(settings) if row["key"] == alert.key]
    assert (row["day"], row["ended_at"]) == (str(DAY), row["first_at"])


def test_only_swaps_of_the_fortnight_to_the_night_are_told(tmp_path):
    settings = published(shop(tmp_path, swapped(DAY)))
    days = {offset: len(told(settings, DAY + timedelta(days=offset), "model_swap")) for offset in (-1, 0, 13, 14)}
    assert days == {-1: 0, 0: 1, 13: 1, 14: 0}
    off = replace(settings, night_tables={"alerts": {"model_swaps": False}})
    assert told(off, DAY, "model_swap") == []


def weeks(usd: int, feature: str = "reply", **more: Any) -> list[dict[str, Any]]:
    return [call(usd, DAY - timedelta(days=7 * number), feature, **more) for number in range(1, 9)]


def test_anomalies_of_the_night_the_greatest_first(tmp_path):
    calls = [*weeks(10), *weeks(30, "triage"), call(50), call(5, feature="triage"), unpriced(feature="triage")]
    settings = shop(tmp_path, calls)
    alerts = nights.run(settings, DAY).alerts
    assert [(alert.dimension, alert.name, alert.impact_usd) for alert in alerts] == [
        ("feature", "reply", 40),
        ("feature", "triage", -25),
        ("all", "all", 15),
        ("model", "lab/m", 15),
    ]
    texts = [alert.text for alert in alerts]
    assert texts[0] == "feature reply cost 50.00 USD on 2026-03-20, usually 10.00 USD on a Friday (+40.00 USD)"
    assert (
        "feature triage cost at least 5.00 USD on 2026-03-20 (1 call has no price), "
        "usually 30.00 USD on a Friday (-25.00 USD)"
    ) in texts
    impacts = [abs(alert.impact_usd) for alert in alerts]
    assert impacts == sorted(impacts, reverse=True)
    assert night(settings) == []
    assert not any(ended(settings).values()), "they go on, for all that is known"
    assert told(replace(settings, night_tables={"alerts": {"anomalies": False}})) == []


def test_of_many_anomalies_the_last_says_how_many_more(tmp_path):
    users = [f"user-{number}" for number in range(30)]
    calls = [each for user in users for each in (*weeks(10, user_id=user), call(100, user_id=user))]
    texts = told(published(shop(tmp_path, calls)), DAY, "anomaly")
    assert len(texts) == alert_rules.MOST_ANOMALIES
    everywhere = 3  # all, reply, lab/m
    more = len(users) + everywhere - alert_rules.MOST_ANOMALIES
    assert [text for text in texts if "more" in text] == [texts[-1]]
    assert texts[-1].endswith(f"; and {more} more of less impact in spend_anomalies")


def test_names_from_logs_stay_in_their_line_and_call_nobody(tmp_path):
    evil = "a\n<!channel> @here [x](y) ana@shop " + "z" * 200
    limit = {"by": "user", "limit_usd": 1}
    settings = published(shop(tmp_path, [call(5, user_id=evil)], alerts={"spend": limit}))
    (alert,) = alert_desk.of_night(settings, night_rules.rules(settings), DAY, [])[0]
    shown = "a\\n\\x3c!channel\\x3e \\x40here [x](y) ana@shop " + "z" * 65 + "..."
    assert alert.text.startswith(f"user {shown} cost 5.00 USD")
    assert alert.name == evil
    assert json.loads(alert.key)[2] == evil


def test_a_closed_gate_is_told_once_until_something_is_published(tmp_path):
    settings = shop(tmp_path, [call(1)], alerts={"spend": SPEND})
    strict = replace(settings, night_tables=settings.night_tables | {"gate": {"unpriced": "20%"}})
    night(strict)
    append(tmp_path, [unpriced(), call(100)])
    with pytest.raises(UserError):
        night(replace(strict, prices=tmp_path / "none.csv"))
    assert ended(settings) == {'["failure"]': False}
    stages_told = []
    for _ in range(2):
        with pytest.raises(GateClosed):
            nights.run(strict, DAY, tell=lambda stage, **figures: stages_told.append((stage, figures)))
    alerts = [figures for stage, figures in stages_told if stage == "alert"]
    assert [(figures["holding"], figures["new"]) for figures in alerts] == [(1, 1), (1, 0)]
    assert rows(settings, "key, text")[1:] == [
        {
            "key": '["gate", "unpriced"]',
            "text": "not published: unpriced: 1 of 2 new calls, 50.0% where [gate] unpriced allows 20%",
        }
    ]
    assert ended(settings) == {'["failure"]': True, '["gate", "unpriced"]': False}  # it came as far as the gate
    assert night(strict, accept=True) == [LIMIT]
    assert ended(settings) == {'["failure"]': True, '["gate", "unpriced"]': True, LIMIT: False}


def test_a_night_that_fails_is_told_with_its_own_reason_only(tmp_path, monkeypatch):
    settings = shop(tmp_path, [call(11)], alerts={"spend": SPEND})
    night(settings)
    (tmp_path / "prices.csv").write_text("no such column\n1\n")
    for _ in range(2):
        with pytest.raises(UserError):
            night(settings)
    (failure,) = [row for row in rows(settings) if row["kind"] == "failure"]
    assert failure["text"].startswith(f"the night of {DAY} failed: {tmp_path}/prices.csv, line 1: ")
    assert ended(settings) == {LIMIT: False, '["failure"]': False}  # spend was not judged
    (tmp_path / "prices.csv").write_text(PRICES)
    assert night(settings) == []
    assert ended(settings) == {LIMIT: False, '["failure"]': True}

    def fail(*_: Any) -> None:
        raise ValueError("what a user asked a model")

    monkeypatch.setattr(nights.stages, "build", fail)
    with pytest.raises(ValueError):
        night(settings)
    assert rows(settings)[-1]["text"] == f"the night of {DAY} failed: ValueError"


def test_why_a_night_failed_is_not_hidden_by_what_cannot_be_told(tmp_path, monkeypatch):
    settings = shop(tmp_path, [call(1)])
    said = []

    def refuse(trouble: Exception) -> Any:
        def work(*_: Any, **__: Any) -> None:
            raise trouble

        return work

    monkeypatch.setattr(nights.stages, "build", refuse(OSError("the first")))
    monkeypatch.setattr(nights.alert_desk, "tell", refuse(StorageTrouble("the disk is full")))
    with pytest.raises(OSError, match="the first"):
        nights.run(settings, DAY, tell=lambda stage, **figures: said.append((stage, figures)))
    assert "the disk is full" in [str(figures.get("trouble")) for stage, figures in said if stage == "alert"]


# The book against a slow one in plain Python.

STATES = [("spend", "a"), ("spend", "b"), ("margin", "a"), ("gate", "a"), ("anomaly", "a")]
HAPPENING = [("model_swap", "a"), ("model_swap", "b")]

NIGHT = st.fixed_dictionaries(
    {
        "back": st.sampled_from([0, 0, 0, 1, 3]),  # of how many days before the latest it is
        "step": st.integers(0, 2),  # by how many days it moves the latest on
        "holding": st.sets(st.sampled_from(STATES)),
        "happening": st.sets(st.tuples(st.sampled_from(HAPPENING), st.integers(0, 1))),
        "judged": st.sets(st.sampled_from(KINDS)),
        "is_set": st.sampled_from([True, True, True, False]),  # whether there is a channel
        "is_taken": st.booleans(),
    }
)


def alerts_of(told_night: dict[str, Any], day: date) -> list[Alert]:
    found = [Alert(json.dumps(state), state[0], day, "x") for state in told_night["holding"]]
    for (kind, name), offset in told_night["happening"]:
        found.append(Alert(json.dumps([kind, name, str(day - timedelta(days=offset))]), kind, day, "x"))
    return sorted((alert for alert in found if alert.kind in told_night["judged"]), key=lambda alert: alert.key)


class SlowBook:
    """What is told, from the history of all nights: a list of dicts, looked through from the start each time."""

    def __init__(self) -> None:
        self.edges: list[dict[str, Any]] = []
        self.latest = date.min

    def night(self, day: date, alerts: list[Alert], judged: set[str], is_set: bool) -> tuple[list[str], list[int]]:
        """The keys that are new, and the numbers of what is to be delivered."""
        self.latest = max(self.latest, day)
        keys, new = [alert.key for alert in alerts], []
        for edge in self.edges:
            edge["holds"] &= edge["kind"] not in judged or edge["key"] in keys
        for alert in alerts:
            is_event = alert.kind in EVENTS
            if any(edge["key"] == alert.key and (is_event or edge["holds"]) for edge in self.edges):
                continue
            number = len(self.edges) + 1
            new.append(alert.key)
            self.edges.append(
                {"number": number, "key": alert.key, "kind": alert.kind, "day": day, "holds": not is_event,
                 "due": False, "taken": False}
            )  # fmt: skip
        if not is_set:
            return new, []
        for edge in self.edges:
            is_news = edge["kind"] in EVENTS and edge["day"] >= self.latest - timedelta(days=1)
            edge["due"] |= edge["holds"] or is_news
        return new, [edge["number"] for edge in self.edges if edge["due"] and not edge["taken"]]


@hypothesis_settings(max_examples=150)
@given(told_nights=st.lists(NIGHT, max_size=12))
def test_each_is_told_at_its_rising_edges(tmp_path_factory, told_nights):
    manifest = Manifest(tmp_path_factory.mktemp("book") / "manifest.sqlite")
    slow, latest = SlowBook(), date(2026, 2, 1)
    for told_night in told_nights:
        latest += timedelta(days=told_night["step"])
        day = latest - timedelta(days=told_night["back"])
        alerts = alerts_of(told_night, day)
        manifest.connection.execute("insert into night (day, status) values (?, 'published')", (day.isoformat(),))
        channels = {"webhook": None} if told_night["is_set"] else {}
        begun = now()
        alert_book.note(manifest, alerts, told_night["judged"], channels)
        new = alert_book.opened_since(manifest, begun)
        expected, to_deliver = slow.night(day, alerts, told_night["judged"], told_night["is_set"])
        assert new == set(expected)
        if not channels:
            continue
        due = alert_book.due(manifest, channels)
        assert [row["alert_id"] for row in due] == to_deliver
        if told_night["is_taken"]:  # else it was refused, or whoever sent it was killed
            alert_book.mark_sent(manifest, due, "webhook", channels)
            for edge in slow.edges:
                edge["taken"] |= edge["number"] in to_deliver
    assert manifest.one("select count(*) from alert") == len(slow.edges)
    manifest.close()


@hypothesis_settings(max_examples=60)
@given(history=st.lists(st.sets(st.sampled_from(STATES)), max_size=12))
def test_with_a_channel_that_takes_all_each_rising_edge_is_delivered_once(tmp_path_factory, history):
    manifest = Manifest(tmp_path_factory.mktemp("book") / "manifest.sqlite")
    before: set[tuple[str, str]] = set()
    for holding in history:
        alerts = [Alert(json.dumps(state), state[0], DAY, "x") for state in sorted(holding)]
        alert_book.note(manifest, alerts, KINDS, ["webhook"])
        due = alert_book.due(manifest, ["webhook"])
        assert [row["key"] for row in due] == [json.dumps(state) for state in sorted(holding - before)]
        alert_book.mark_sent(manifest, due, "webhook", ["webhook"])
        before = holding
    manifest.close()


def test_today_is_a_day_that_a_night_can_be_of(tmp_path):
    manifest = Manifest(tmp_path / "manifest.sqlite")
    assert alert_book.latest_day(manifest) is None
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=1), "published"), (today + timedelta(days=2), "published"), (today, "failed")]
    for day, status in days:
        manifest.connection.execute("insert into night (day, status) values (?, ?)", (day.isoformat(), status))
    assert alert_book.latest_day(manifest) == today - timedelta(days=1)
    manifest.close()
