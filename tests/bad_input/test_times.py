"""What a log gives for a time: an instant, or a line that is quarantined; never a day that nobody lived."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import readings
from tests.bad_input.forms import FORMS, gzipped, taken

S, MS, US, NS = 1_788_220_800, 1_788_220_800_123, 1_788_220_800_123_456, 1_788_220_800_123_456_789
DAY, MILLI, MICRO = "2026-09-01T00:00:00", "2026-09-01T00:00:00.123", "2026-09-01T00:00:00.123456"
CASES = {  # name: (JSON text, the instant in UTC; null: quarantined)
    "epoch_s": (str(S), DAY),
    "epoch_ms": (str(MS), MILLI),
    "epoch_us": (str(US), MICRO),
    "epoch_ns": (str(NS), MICRO),  # cut off below the microsecond
    "epoch_float": ("1788220800.123", MILLI),
    "epoch_e_notation": ("1.7882208e9", DAY),
    "no_zone": ('"2026-09-01T00:00:00"', DAY),  # UTC
    "offset": ('"2026-09-01T02:00:00+02:00"', DAY),
    "offset_negative": ('"2026-08-31T20:00:00-04:00"', DAY),
    "offset_half_hour": ('"2026-09-01T05:30:00+0530"', DAY),
    "space": ('"2026-09-01 00:00:00"', DAY),
    "leap_sec": ('"2016-12-31T23:59:60Z"', "2016-12-31T23:59:59.999999"),  # stays on its day
    "dst_gap_named": ('"2026-03-29T02:30:00 Europe/Berlin"', None),
    "1970": ('"1970-01-01T00:00:00Z"', None),
    "2106": ('"2106-02-07T06:28:16Z"', None),
    "9999": ('"9999-12-31T23:59:59Z"', None),
    "10000": ('"10000-01-01T00:00:00Z"', None),
    "feb30": ('"2026-02-30T00:00:00Z"', None),
    "empty": ('""', "null"),  # an empty text is none, see `null`
    "null": ("null", "null"),  # a call whose day is unknown: counted, on no day
    "zero": ("0", None),
    "negative": ("-1", None),
    "nanos": ('"2026-09-01T00:00:00.123456789Z"', MICRO),
    "24h": ('"2026-09-01T24:00:00Z"', None),
    "ddmm": ('"01/09/2026"', None),
    "rfc2822": ('"Tue, 01 Sep 2026 00:00:00 GMT"', None),
    "num_string": (f'"{S}"', DAY),
    "lowercase": ('"2026-09-01t00:00:00z"', DAY),
    "year_0001": ('"0001-01-01T00:00:00Z"', None),
    # what the catalogue lacks
    "ms_string": (f'"{MS}"', MILLI),
    "us_string": (f'"{US}"', MICRO),
    "ns_string": (f'"{NS}"', MICRO),
    "offset_99": ('"2026-09-01T00:00:00+99:99"', None),
    "offset_24": ('"2026-09-01T00:00:00+24:00"', None),
    "leap_sec_elsewhere": ('"2026-09-01T00:00:61Z"', None),
    "minute_60": ('"2026-09-01T00:60:00Z"', None),
    "date_only": ('"2026-09-01"', None),
    "week_date": ('"2026-W36-2T00:00:00Z"', None),
    "two_digit_year": ('"26-09-01T00:00:00Z"', None),
    "before_2015": ('"2014-12-31T23:59:59.999999Z"', None),
    "first_of_2015": ('"2015-01-01T00:00:00Z"', "2015-01-01T00:00:00"),
    "1e400": ("1e400", None),
    "NaN": ("NaN", None),
    "true": ("true", None),
    "object": ('{"$date":"2026-09-01T00:00:00Z"}', None),
    "list": ("[2026,9,1]", None),
    "i64_overflow_of_ns": (str(2**63), None),
    "seconds_as_if_ms": (str(S // 1000), None),
    "spaces_around": ('" 2026-09-01T00:00:00Z "', None),
    "arabic_digits": ('"\u0662\u0660\u0662\u0666-09-01T00:00:00Z"', None),
    "nul_inside": ('"2026-09-01T00:00:00Z\\u0000"', None),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("times")
    (folder / "logs").mkdir()
    for name, (text, _) in CASES.items():
        for form, variant in [*((form, "plain") for form in FORMS), ("chat", "gzip"), ("spend", "exact")]:
            tag = f"{name} {form} {variant}"
            texts = [{"time": text} if number == 3 else {} for number in range(1, 6)]
            lines = [FORMS[form].line(tag.replace(" ", "-"), n, **given) for n, given in enumerate(texts, start=1)]
            data = b"\n".join(lines) + (b'\n{"cut\n' if variant == "exact" else b"\n")
            (folder / "logs" / tag).write_bytes(gzipped(data) if variant == "gzip" else data)
    return taken(folder / "data", folder / "logs")


@pytest.mark.parametrize("name", CASES)
def test_a_time_is_an_instant_or_its_line_is_quarantined(name: str, results) -> None:
    expected = CASES[name][1]
    found = {key: value for key, value in results.items() if key.startswith(f"{name} ")}
    assert len(found) == 5
    for key, file in found.items():
        assert file.calls.keys() | {3} == {1, 2, 3, 4, 5}
        assert file.balance["call_line_count"] + file.balance["quarantined_line_count"] == file.balance["line_count"]
        if expected is None:
            assert 3 not in file.calls
            assert file.quarantined[3].endswith(" is not an instant"), key
        elif expected == "null":
            assert (file.calls[3]["called_at"], file.calls[3]["day"]) == (None, None)
        else:
            at = file.calls[3]["called_at"]
            assert at == datetime.fromisoformat(expected).replace(tzinfo=UTC), key
            assert file.calls[3]["day"] == at.date()


@pytest.mark.parametrize("name", FORMS)
def test_a_time_that_no_clock_has_reached_is_quarantined(name: str, tmp_path: Path) -> None:
    form, now = FORMS[name], max(datetime.now(UTC), readings.NO_CLOCK_BEFORE)
    times = [now - timedelta(days=1), now + timedelta(days=1), now + timedelta(days=3), now + timedelta(days=9_000)]
    lines = [form.line("f", n, time=json.dumps(at.isoformat())) for n, at in enumerate(times, start=1)]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    found = taken(tmp_path / "data", tmp_path / "logs")["log.jsonl"]
    assert list(found.calls) == [1, 2]
    assert set(found.quarantined) == {3, 4}
    assert all("has reached" in reason for reason in found.quarantined.values())
