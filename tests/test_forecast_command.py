"""`tokenspread forecast` as a user has it: its table, its words, its JSON and its mistakes."""

import io
import json
from datetime import date, timedelta

import pytest

from pipelines import warehouse
from pipelines.errors import UserError
from pipelines.report import forecast
from tests.pipelines.logs import chat, jsonl
from tests.sql import builders
from tests.test_cli import tokenspread

# Each day a call of 0.0003 USD, from 1 January to ten in the morning of 18 March.
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(77)]
LOG = {"ledger": [{"called_at": f"{day}T10:00:00Z"} for day in DAYS], "scenarios": {"actual": "1", "\x1b[1mcut": "1/2"}}
# January has two calls a day from the 15th on.
RISING = LOG | {"ledger": LOG["ledger"] + [{"called_at": f"{day}T11:00:00Z"} for day in DAYS[14:31]]}


def printed(given: dict, as_of: date | None = None, as_json: bool = False) -> str:
    stream = io.StringIO()
    with builders.catalogue(given, "forecast", "about") as connection:
        forecast.write(
            lambda query: warehouse.frame_of(connection, query), as_of, "json" if as_json else "text", stream
        )
    return stream.getvalue()


def test_table_and_notes_tell_what_is_known_and_how_well():
    lines = printed(LOG).splitlines()
    assert lines[0] == "March 2026 as of 2026-03-17: 17 days told, 14 left (USD, tokens and fees)"
    assert lines[2].split() == ["actual", "0.0051", "0.0042", "0.0093", "0.0093", "0.0093"]
    assert lines[3].split() == ["\\x1b[1mcut", "0.00255", "0.0021", "0.00465", "0.00465", "0.00465"]
    assert lines[4] == ""
    assert lines[5].startswith("of 2 past months, forecasts made with 14 days left were off by 0.0% (no bias); 2 of 2 ")
    assert lines[6].startswith(
        "each day left costs the mean of its weekday (56 days of the last 8 weeks); the interval "
    )
    assert lines[7:] == [
        "the log's last call is at 2026-03-18 10:00 UTC: that day may not be over and counts as left; "
        "--as-of 2026-03-18 takes it as it is"
    ]


def test_past_errors_are_told_with_their_direction():
    # With 17 days left January was forecast at 31 calls and came to 48. February: 11, three Thursdays, Fridays and
    # Saturdays at 1.5 and eight other days at 4/3 make 35.17, and it came to 28. (17 + 7.17) / 76, (-17 + 7.17) / 76.
    assert printed(RISING, date(2026, 3, 14)).splitlines()[5] == (
        "of 2 past months, forecasts made with 17 days left were off by 31.8% (too low by 12.9%); "
        "0 of 2 intervals held what came"
    )


def test_of_a_short_log_the_words_say_what_is_missing():
    told = printed({"ledger": LOG["ledger"][:5] + [{"called_at": None}, {"model": "model-x"}]}, date(2026, 1, 5))
    assert "no month before this one is whole in the log" in told
    assert "less than a week is known (5 days): each day left costs the mean of them, without an interval" in told
    assert "1 call without a time: in no figure" in told
    assert told.splitlines()[2].split() == ["actual", "0.0015", "0.0078", "0.0093", "-", "-"]
    told = printed({"ledger": [{"model": "model-x"}]})
    assert "no call of these weeks has a price: nothing to forecast from" in told
    assert "1 call without a price in these weeks: missing in all figures" in told


def test_json_has_exact_money_as_text_and_estimates_as_numbers():
    found = json.loads(printed(LOG, as_json=True))
    assert (found["month_start"], found["as_of"], found["days_left_count"]) == ("2026-03-01", "2026-03-17", 14)
    assert [row["so_far_usd"] for row in found["scenarios"]] == ["0.005100000000000000", "0.002550000000000000"]
    assert found["scenarios"][0]["month_end_usd"] == pytest.approx(0.0093)


def test_a_day_beyond_the_log_and_a_log_without_days_are_mistakes():
    with pytest.raises(
        UserError, match="--as-of 2026-03-19: the log spans 2026-01-01 to 2026-03-18; name a day of these"
    ):
        printed(LOG, date(2026, 3, 19))
    with pytest.raises(UserError, match="no call in the ledger has a day"):
        printed({"ledger": [{"called_at": None}]})


def test_the_command_asks_what_is_published(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(number * 24) for number in range(9)]))
    assert tokenspread("run", "log.jsonl", cwd=tmp_path).returncode == 0
    done = tokenspread("forecast", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("September 2026 as of 2026-09-28: 8 days told, 2 left (USD, tokens and fees)\n")
    done = tokenspread("forecast", "--as-of", "2026-09-3'", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "tokenspread: --as-of 2026-09-3': no day; write it as 2026-01-31\n")
