"""The user's price file: what a CSV and a TOML file say, and how a wrong one is told."""

import csv
import io
import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.prices.cells import week_windows
from pipelines.prices.price_file import read_contract_terms, read_price_file
from transforms.schemas import CONTRACT_TERMS, PRICE_RULES, RATE_CLASSES, WEEK_SECONDS

HEADER = "provider,model,token_class,usd_per_million,valid_from"
DAY, HOUR = 86_400, 3_600


def price_file(tmp_path, *lines: str, header: str = HEADER):
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def csv_of(tmp_path, *rows: dict):
    """A CSV file with the columns that any row names."""
    names = list(dict.fromkeys(("provider", "model", "valid_from", *(name for row in rows for name in row))))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "rows.csv").write_text(text.getvalue())
    return tmp_path / "rows.csv"


def toml_of(tmp_path, *rows: dict):
    lines = [
        "\n[[prices]]\n" + "".join(f"{name} = {json.dumps(text)}\n" for name, text in row.items() if text != "")
        for row in rows
    ]
    (tmp_path / "rows.toml").write_text("".join(lines))
    return tmp_path / "rows.toml"


def message_of(read, path) -> tuple[str, str]:
    """(fact, fix) of what is told of a wrong file, after its name."""
    with pytest.raises(UserError) as error:
        read(path)
    place, _, text = str(error.value).removeprefix(str(path)).partition(": ")
    fact, _, fix = text.partition("; ")
    assert fact and fix, error.value
    return f"{place}: {fact}", fix


# Prices


def test_a_price_file(tmp_path):
    header = HEADER + ",valid_to,service_tier,region,is_batch,context_above,source_url"
    rows = read_price_file(
        price_file(
            tmp_path,
            "openai,gpt-5.2,input,1.75,2026-01-01,2026-07-01T12:00:00+02:00,flex,eu,true,200000,https://x.example",
            ",gpt-*,output,0.000001,,,,,,,",
            ",m,cache_write,3,2026-01-01T00:00:00Z,,,,FALSE,,",
            header=header,
        )
    )
    assert rows.schema == pl.Schema(PRICE_RULES)
    assert rows["token_class"].to_list() == ["input", "output", "cache_write_5m", "cache_write_1h", "cache_write_other"]
    assert rows["rate_pico"].to_list() == [1_750_000, 1, 3_000_000, 3_000_000, 3_000_000]
    assert rows["multiplier_nano"].null_count() == rows.height
    assert rows["line_number"].to_list() == [2, 3, 4, 4, 4]
    first, second, third, *_ = rows.to_dicts()
    assert first["valid_to"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert (first["context_above"], first["is_batch"], first["source"]) == (200_000, True, "contract")
    assert (first["week_second_from"], first["week_second_to"]) == (0, WEEK_SECONDS)
    assert [second[name] for name in ("provider", "valid_from", "valid_to", "service_tier", "is_batch")] == [None] * 5
    assert (third["is_batch"], third["valid_from"]) == (False, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_price_of_each_class(tmp_path):
    """USD per million tokens, or USD per request, search, session and second."""
    counts = {"request": "0.005", "web_search": "0.01", "file_search": "0.0025", "code_session": "0.03"}
    per_unit = counts | {"compute_second": "0.000225"}
    rows = [{"model": "m", "token_class": name, "usd_per_unit": usd} for name, usd in per_unit.items()]
    per_million = [name for name in RATE_CLASSES if name not in per_unit]
    rows += [{"model": "m", "token_class": name, "usd_per_million": "2.5"} for name in per_million]
    found = dict(read_price_file(csv_of(tmp_path, *rows)).select("token_class", "rate_pico").rows())
    # 0.000225 USD are 225,000,000 pico-USD; 2.5 USD per million tokens are 2,500,000 pico-USD per token
    named = {"request": 5_000_000_000, "web_search": 10_000_000_000, "file_search": 2_500_000_000}
    named |= {"code_session": 30_000_000_000, "compute_second": 225_000_000}
    assert found == named | dict.fromkeys(per_million, 2_500_000)
    # a million searches or sessions may be priced as a million tokens are
    rows = [{"model": "m", "token_class": name, "usd_per_million": "10000"} for name in counts]
    assert read_price_file(csv_of(tmp_path, *rows))["rate_pico"].to_list() == [10_000_000_000] * 4


def test_multipliers(tmp_path):
    """15 % off everything, 10 % more for the EU region's output, and a writing of caches at a third."""
    rows = read_price_file(
        csv_of(
            tmp_path,
            {"kind": "multiplier", "provider": "OpenAI", "model": "*", "multiplier": "0.85"},
            {"kind": "Multiplier", "model": "gpt-*", "token_class": "output", "region": "eu", "multiplier": "1.1"},
            {"kind": "multiplier", "model": "m", "token_class": "cache_write", "multiplier": "0.333333333"},
        )
    )
    assert rows["rate_pico"].null_count() == rows.height
    told = rows.select("provider", "model", "token_class", "region", "multiplier_nano", "line_number").rows()
    assert told == [
        ("openai", "*", None, None, 850_000_000, 2),
        (None, "gpt-*", "output", "eu", 1_100_000_000, 3),
        (None, "m", "cache_write_5m", None, 333_333_333, 4),
        (None, "m", "cache_write_1h", None, 333_333_333, 4),
        (None, "m", "cache_write_other", None, 333_333_333, 4),
    ]


def test_a_price_and_a_multiplier_of_the_same_are_two_rows(tmp_path):
    price = {"model": "m", "token_class": "input", "usd_per_million": "1"}
    factor = {"kind": "multiplier", "model": "m", "token_class": "input", "multiplier": "0.5"}
    assert read_price_file(csv_of(tmp_path, price, factor)).height == 2
    with pytest.raises(UserError, match="line 4: the same multiplier from the same instant as line 3; keep one"):
        read_price_file(csv_of(tmp_path, price, factor, factor | {"multiplier": "0.6"}))


def test_the_source_is_the_callers(tmp_path):
    assert read_price_file(price_file(tmp_path, ",m,input,1,"), "correction")["source"].to_list() == ["correction"]


@pytest.mark.parametrize(
    ("weekdays", "time_from", "time_to", "windows"),
    [
        (None, None, None, [(0, WEEK_SECONDS)]),
        ("Mon-Sun", "00:00", "24:00", [(0, WEEK_SECONDS)]),
        ("Mon-Fri", None, None, [(0, 5 * DAY)]),
        ("Sat,Sun", None, None, [(5 * DAY, 7 * DAY)]),
        ("sat - mon", None, None, [(0, DAY), (5 * DAY, 7 * DAY)]),
        ("Wed", "09:30", "17:00", [(2 * DAY + 9 * HOUR + 1800, 2 * DAY + 17 * HOUR)]),
        ("Mon,Thu", None, "06:00", [(0, 6 * HOUR), (3 * DAY, 3 * DAY + 6 * HOUR)]),
        ("Mon", "22:00", None, [(22 * HOUR, 24 * HOUR)]),
        ("Mon", "22:00", "00:00", [(22 * HOUR, 24 * HOUR)]),
        # over midnight: it belongs to the weekday on which it begins, and Sunday's ends on Monday
        ("Fri", "22:00", "06:00", [(4 * DAY + 22 * HOUR, 5 * DAY + 6 * HOUR)]),
        ("Sun", "22:00", "06:00", [(0, 6 * HOUR), (6 * DAY + 22 * HOUR, 7 * DAY)]),
    ],
)
def test_windows_of_the_week(tmp_path, weekdays, time_from, time_to, windows):
    cells = {"weekdays": weekdays, "time_from": time_from, "time_to": time_to}
    row = {"model": "m", "token_class": "input", "usd_per_million": "1"} | {n: c for n, c in cells.items() if c}
    rows = read_price_file(csv_of(tmp_path, row))
    assert rows.select("week_second_from", "week_second_to").rows() == windows
    assert set(rows["line_number"]) == {2}


@given(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(0, 1440))
def test_windows_hold_the_minutes_that_their_cells_name(days, start, end):
    if start == end % 1440:
        return
    names = [("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in sorted(days)]
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end)]
    windows = week_windows(",".join(names), *clock)
    named = set()
    for day in days:
        length = (end - start) % 1440 or 1440
        named |= {(day * 1440 + start + minute) % 10_080 for minute in range(length)}
    held = [minute for first, last in windows for minute in range(first // 60, last // 60)]
    assert sorted(held) == sorted(named), "each minute once"


# What is not per unit


def test_the_tiers_of_a_provider_and_model_are_one_term(tmp_path):
    tier = {"kind": "volume_tier", "provider": "openai", "model": "gpt-*", "valid_from": "2026-01-01"}
    rows = read_contract_terms(
        csv_of(
            tmp_path,
            tier | {"above_usd_per_month": "0", "multiplier": "1"},
            tier | {"above_usd_per_month": "12500000.50", "multiplier": "0.9"},
            {"model": "m", "token_class": "input", "usd_per_million": "1"},
            tier | {"model": "GPT-*", "above_usd_per_month": "50000000", "multiplier": "0.8", "valid_to": "2026-07-01"},
            {"kind": "volume_tier", "model": "llama*", "above_tokens_per_month": "1000000000", "multiplier": "0.7"},
        )
    )
    assert rows.schema == pl.Schema(CONTRACT_TERMS)
    usd = 10**12
    told = rows.select("term_id", "model", "above_pico", "above_tokens", "multiplier_nano", "line_number").rows()
    assert told == [
        (1, "gpt-*", 0, None, 1_000_000_000, 2),
        (1, "gpt-*", 12_500_000 * usd + usd // 2, None, 900_000_000, 3),  # more than 64 bits hold
        (1, "GPT-*", 50_000_000 * usd, None, 800_000_000, 5),
        (2, "llama*", None, 1_000_000_000, 700_000_000, 6),
    ]
    assert rows["valid_from"].to_list() == [date(2026, 1, 1)] * 3 + [None]
    assert rows["valid_to"].to_list() == [None, None, date(2026, 7, 1), None]


def test_a_commitment(tmp_path):
    row = {"kind": "commitment", "provider": "Bedrock", "model": "*", "usd_per_month": "1500.25", "note": "order 7"}
    rows = read_contract_terms(csv_of(tmp_path, row, row | {"model": "claude-*"}))
    assert rows["term_id"].to_list() == [1, 2]
    assert rows.select("provider", "amount_pico", "note").row(0) == ("aws", 1_500_250_000_000_000, "order 7")


@pytest.mark.parametrize(
    ("cells", "pico"),
    [
        ({"usd": "1234.56"}, 1_234_560_000_000_000),
        ({"seconds": "86400.5", "usd_per_second": "0.000225"}, 19_440_112_500_000),  # Replicate: predict time
        ({"minutes": "1440", "usd_per_minute": "0.01052"}, 15_148_800_000_000),  # Baseten: replica-minutes
        ({"hours": "720", "usd_per_hour": "3.95"}, 2_844_000_000_000_000),
        ({"seconds": "0", "usd_per_second": "0.001"}, 0),
    ],
)
def test_a_bill_of_time(tmp_path, cells, pico):
    row = {"kind": "time", "provider": "modal", "model": "*", "valid_from": "2026-03-01", "valid_to": "2026-03-15"}
    rows = read_contract_terms(csv_of(tmp_path, row | cells))
    assert rows["amount_pico"].to_list() == [pico]
    assert rows.select("valid_from", "valid_to").row(0) == (date(2026, 3, 1), date(2026, 3, 15))
    assert rows.select("allocate_by", "output_weight").row(0) == ("busy", None)


def test_a_bill_by_tokens(tmp_path):
    row = {"kind": "time", "model": "*", "valid_from": "2026-03-01", "valid_to": "2026-03-02", "usd": "1"}
    rows = read_contract_terms(csv_of(tmp_path, row | {"allocate_by": "Tokens", "output_weight": "4"}))
    assert rows.select("allocate_by", "output_weight").row(0) == ("tokens", 4)


# TOML

ROWS = [
    {"provider": "openai", "model": "gpt-*", "token_class": "input", "usd_per_million": "2.50", "is_batch": "true"},
    {"model": "m", "token_class": "cache_write", "usd_per_million": "3", "valid_from": "2026-01-01", "note": "a, b"},
    {"kind": "multiplier", "model": "*", "multiplier": "0.85", "weekdays": "Sat,Sun", "time_from": "22:00"},
    {"kind": "volume_tier", "model": "*", "above_usd_per_month": "1000", "multiplier": "0.9"},
    {"kind": "commitment", "model": "*", "usd_per_month": "100", "valid_to": "2026-07-01"},
    {"kind": "time", "model": "*", "valid_from": "2026-03-01", "valid_to": "2026-03-02", "usd": "1"},
]


def test_toml_says_what_csv_says(tmp_path):
    for read in (read_price_file, read_contract_terms):
        by_csv, by_toml = read(csv_of(tmp_path, *ROWS)), read(toml_of(tmp_path, *ROWS))
        assert by_csv.height >= 3
        assert by_csv.drop("line_number").equals(by_toml.drop("line_number"))


def test_toml_in_its_own_types(tmp_path):
    path = tmp_path / "prices"  # the content decides
    path.write_bytes(
        b"""# our deal\r\n\r\n[[prices]]\r\nprovider = "openai"\r\nmodel = "gpt-5.2"\r\ntoken_class = "input"
usd_per_million = 2.500001
valid_from = 2026-01-01
valid_to = 2026-07-01T12:00:00+02:00
is_batch = true
context_above = 200_000
weekdays = "Mon"
time_from = 09:30:00
  [[ prices ]]  # the next
model = "m"
token_class = "output"
usd_per_million = 10
"""
    )
    first, second = read_price_file(path).to_dicts()
    assert (first["rate_pico"], first["is_batch"], first["context_above"]) == (2_500_001, True, 200_000)
    assert (first["valid_from"], first["valid_to"]) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 7, 1, 10, tzinfo=UTC),
    )
    assert (first["week_second_from"], first["line_number"]) == (9 * HOUR + 1800, 3)
    assert (second["rate_pico"], second["line_number"], second["provider"]) == (10_000_000, 14, None)


@pytest.mark.parametrize(
    ("text", "fact", "fix"),
    [
        ("[[prices]]\nmodel = gpt\n", ", line 2: not TOML (Invalid value)", "mend it"),
        ("[[prices]]\nmodel = 'm'\nmodel = 'n'\n", ", line 3: not TOML (Cannot overwrite a value)", "mend it"),
        ("[[prices]]\nmodel = 'm", ", line 2: not TOML", "mend it"),
        ("# comment\nprovider,model,valid_from\n", ", line 2: not TOML", "begin a CSV file with its column names"),
        ("[[prices]]\nmodel = " + "9" * 5000, ", line 2: not TOML", "mend it"),
        ("[[prices]]\nmodel = " + "[" * 5000, ", line 2: not TOML", "mend it"),
        ("[[price]]\nmodel = 'm'\n", ": 'price' is unknown", "[[prices]]"),
        ("[prices]\nmodel = 'm'\n", ": prices that are not all [[prices]] tables", "[[prices]]"),
        ("prices = [{model = 'm'}]\n", ": prices that are not all [[prices]] tables", "[[prices]]"),
        ("\n[[prices]]\nmodell = 'm'\n", ", line 2: 'modell' is unknown", "model"),
        ("[[prices]]\nmodel = ['m']\n", ", line 1: model is a list", "one text"),
        ("[[prices]]\nmodel = {a = 1}\n", ", line 1: model is a table", "one text"),
        ("[[prices]]\nprovider = 'm'\n", ", line 1: model is empty", "name a model"),
        ("[[prices]]\nmodel='m'\ntoken_class='input'\nusd_per_million=inf", ", line 1: usd_per_million 'inf'", "2.50"),
    ],
)
def test_a_wrong_toml_file(tmp_path, text, fact, fix):
    path = tmp_path / "prices.toml"
    path.write_text(text)
    for read in (read_price_file, read_contract_terms):
        told = message_of(read, path)
        assert told[0].startswith(fact) and fix in told[1], told


# Wrong lines


@pytest.mark.parametrize(
    ("line", "fact", "fix"),
    [
        (",m,input,-1,2026-01-01", "negative", "0 (free) or more"),
        (",m,inputs,1,2026-01-01", "token_class 'inputs' is unknown", "cache_read"),
        (",m,,1,2026-01-01", "token_class '' is unknown", "cache_read"),
        (",m,input,$1,2026-01-01", "'$1' is not a number", "2.50"),
        (",m,input,NaN,2026-01-01", "'NaN' is not a number", "2.50"),
        (",m,input,,2026-01-01", "'' is not a number", "2.50"),
        (",m,input,1_0,2026-01-01", "'1_0' is not a number", "2.50"),
        (",m,input,0.0000001,2026-01-01", "more than 6 decimals (12 per token)", "round it to 6"),
        (",m,input,5000000000,2026-01-01", "above 1000 USD per token", "per million"),
        (",m,input,1,01/02/2026", "'01/02/2026' is not a date", "2026-01-31"),
        (",,input,1,2026-01-01", "model is empty", "*"),
        (",m,input,1,2026-01-01,2", "more cells than columns", "quote"),
        ("OpenAI,GPT,input,2,2026-01-01T00:00:00Z", "the same price from the same instant as line 2", "keep one"),
        (",m,compute_second,1,2026-01-01", "usd_per_unit is empty", "price of a second"),
    ],
)
def test_a_wrong_line_is_named_with_the_fact_and_the_fix(tmp_path, line, fact, fix):
    path = price_file(tmp_path, "openai,gpt,input,1,2026-01-01", line)
    for read in (read_price_file, read_contract_terms):
        told = message_of(read, path)
        assert told[0].startswith(", line 3: ") and fact in told[0] and fix in told[1], told


@pytest.mark.parametrize(
    ("column", "value", "fact"),
    [
        ("is_batch", "maybe", "neither true nor false"),
        ("context_above", "200k", "not a whole number"),
        ("valid_to", "2026-01-01", "is not after valid_from"),
        ("valid_to", "soon", "valid_to 'soon' is not a date"),
        ("valid_to", "0001-01-01T00:00:00+02:00", "valid_to '0001-01-01T00:00:00+02:00' is not a date"),
        ("weekdays", "Mon-Fri-Sat", "names no day in 'mon-fri-sat'"),
        ("weekdays", "weekend", "names no day in 'weekend'"),
        ("time_from", "9:30", "time_from '9:30' is not a time of day"),
        ("time_to", "24:01", "time_to '24:01' is not a time of day"),
        ("time_to", "12:60", "time_to '12:60' is not a time of day"),
        ("time_to", "00:00", "time_from and time_to are both 00:00"),
        ("usd_per_unit", "1", "usd_per_million and usd_per_unit are both given"),
        ("multiplier", "0.5", "multiplier says nothing in a price"),
        ("kind", "discount", "kind 'discount' is unknown"),
        ("kind", "multiplier", "usd_per_million says nothing in a multiplier"),
        ("kind", "commitment", "token_class says nothing in a commitment"),
    ],
)
def test_a_wrong_optional_cell(tmp_path, column, value, fact):
    path = price_file(tmp_path, f",m,input,1,2026-01-01,{value}", header=f"{HEADER},{column}")
    told = message_of(read_price_file, path)
    assert told[0].startswith(", line 2: ") and fact in told[0], told


@pytest.mark.parametrize(
    ("cells", "fact", "fix"),
    [
        ({"token_class": "input", "usd_per_unit": "1"}, "usd_per_unit is not for input", "usd_per_million"),
        ({"token_class": "request", "usd_per_unit": "1000"}, "1000 is above 1000 USD per unit", "give USD"),
        ({"token_class": "request", "usd_per_unit": "0.0000000000001"}, "has more than 12 decimals", "round it to 12"),
        ({"token_class": "request", "usd_per_unit": "1 USD"}, "usd_per_unit '1 USD' is not a number", "2.50"),
        ({"kind": "multiplier"}, "multiplier is empty", "0.85"),
        ({"kind": "multiplier", "multiplier": "15%"}, "multiplier '15%' is not a number", "2.50"),
        ({"kind": "multiplier", "multiplier": "0"}, "multiplier 0 is not above 0", "0.85"),
        ({"kind": "multiplier", "multiplier": "1000.1"}, "multiplier 1000.1 is not above 0 and at most 1000", "0.85"),
        ({"kind": "multiplier", "multiplier": "-0.1"}, "multiplier -0.1 is negative", "more"),
        ({"kind": "multiplier", "multiplier": "0.0000000001"}, "has more than 9 decimals", "round it to 9"),
        ({"kind": "multiplier", "multiplier": "1", "token_class": "x"}, "token_class 'x' is unknown", "input"),
        ({"kind": "volume_tier", "multiplier": "0.9"}, "are both empty", "0 for the first tier"),
        (
            {"kind": "volume_tier", "multiplier": "0.9", "above_usd_per_month": "1", "above_tokens_per_month": "1"},
            "are both given",
            "give one",
        ),
        ({"kind": "volume_tier", "above_usd_per_month": "1"}, "multiplier is empty", "0.85"),
        (
            {"kind": "volume_tier", "above_tokens_per_month": "1e9", "multiplier": "0.9"},
            "above_tokens_per_month '1e9' is not a whole number of tokens",
            "200000",
        ),
        ({"kind": "commitment"}, "usd_per_month '' is not a number", "2.50"),
        ({"kind": "commitment", "usd_per_month": "0.0000000000001"}, "no whole number of pico-USD", "12 decimals"),
        ({"kind": "commitment", "usd_per_month": "1000000000000"}, "1000000000000 USD or more", "in USD"),
        ({"kind": "commitment", "usd_per_month": "1", "valid_from": "2026-01-02"}, "within a month", "2026-01-01"),
        (
            {"kind": "commitment", "usd_per_month": "1", "valid_to": "2026-01-01T00:00:00+01:00"},
            "valid_to 2026-01-01T00:00:00+01:00 is within a month (UTC)",
            "whole months",
        ),
        ({"kind": "time", "usd": "1", "valid_to": "2026-01-02"}, "valid_from is empty", "period"),
        ({"kind": "time", "usd": "1", "valid_from": "2026-01-02"}, "valid_to is empty", "period"),
    ],
)
def test_a_wrong_line_of_each_kind(tmp_path, cells, fact, fix):
    told = message_of(read_contract_terms, csv_of(tmp_path, {"model": "m"} | cells))
    assert told[0].startswith(", line 2: ") and fact in told[0] and fix in told[1], told


@pytest.mark.parametrize(
    ("cells", "fact", "fix"),
    [
        ({}, "the bill has no amount", "give usd, or one of"),
        ({"usd": "1", "seconds": "1"}, "usd and seconds do not make one bill", "give usd, or one of"),
        ({"seconds": "1", "usd_per_minute": "1"}, "seconds and usd_per_minute do not make one bill", "usd_per_second"),
        ({"hours": "1"}, "hours do not make one bill", "usd_per_hour"),
        ({"seconds": "1.5s", "usd_per_second": "1"}, "seconds '1.5s' is not a number", "2.50"),
        ({"seconds": "0.1", "usd_per_second": "0.000000000001"}, "seconds x usd_per_second is no whole", "round"),
        ({"usd": "1", "allocate_by": "calls"}, "allocate_by 'calls' is unknown", "busy (the default) or tokens"),
        ({"usd": "1", "allocate_by": "tokens"}, "output_weight is empty", "how many input tokens"),
        ({"usd": "1", "output_weight": "4"}, "output_weight is given for a bill", "allocate_by tokens"),
        ({"usd": "1", "allocate_by": "tokens", "output_weight": "0"}, "not between 1 and 1000", "4"),
        ({"usd": "1", "allocate_by": "tokens", "output_weight": "4.5"}, "not a whole number", "200000"),
        ({"usd": "1", "valid_to": "2026-03-02T12:00:00"}, "valid_to 2026-03-02T12:00:00 is within a day", "whole days"),
        ({"usd": "1", "valid_to": "2026-03-01"}, "is not after valid_from", "exclusive"),
    ],
)
def test_a_wrong_bill(tmp_path, cells, fact, fix):
    row = {"kind": "time", "model": "*", "valid_from": "2026-03-01", "valid_to": "2026-03-15"}
    told = message_of(read_contract_terms, csv_of(tmp_path, row | cells))
    assert told[0].startswith(", line 2: ") and fact in told[0] and fix in told[1], told


TIER = {"kind": "volume_tier", "provider": "openai", "model": "m", "above_usd_per_month": "10", "multiplier": "0.9"}
COMMITMENT = {"kind": "commitment", "provider": "openai", "model": "m", "usd_per_month": "1", "valid_to": "2026-03-01"}
BILL = {"kind": "time", "model": "m", "valid_from": "2026-03-01", "valid_to": "2026-03-15", "usd": "1"}


@pytest.mark.parametrize(
    ("first", "second", "fact"),
    [
        (TIER, TIER | {"multiplier": "0.8"}, "the same tier in the same months as line 2"),
        (TIER, TIER | {"model": "M", "valid_from": "2026-01-01"}, "the same tier in the same months as line 2"),
        (
            TIER,
            TIER | {"above_usd_per_month": "", "above_tokens_per_month": "10", "valid_from": "2027-01-01"},
            "line 2 has the other unit",
        ),
        (COMMITMENT, COMMITMENT, "line 2 commits the same provider and model in the same months"),
        (COMMITMENT, COMMITMENT | {"valid_to": ""}, "line 2 commits the same provider and model in the same months"),
        (BILL, BILL | {"usd": "2"}, "a bill for the same time as line 2"),
    ],
)
def test_two_lines_that_contradict_each_other(tmp_path, first, second, fact):
    told = message_of(read_contract_terms, csv_of(tmp_path, first, second))
    assert told[0].startswith(", line 3: ") and fact in told[0] and told[1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (TIER, TIER | {"provider": "azure"}),
        (TIER | {"valid_to": "2026-02-01"}, TIER | {"valid_from": "2026-02-01", "multiplier": "0.8"}),
        (COMMITMENT, COMMITMENT | {"valid_from": "2026-03-01", "valid_to": ""}),
        (BILL, BILL | {"note": "the second GPU"}),
        (BILL, BILL | {"valid_from": "2026-03-02"}),
    ],
)
def test_two_lines_that_do_not(tmp_path, first, second):
    assert read_contract_terms(csv_of(tmp_path, first, second)).height == 2


# Files


def test_a_wrong_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*; name a readable CSV or TOML file"):
        read_price_file(tmp_path / "none.csv")
    with pytest.raises(UserError, match="line 1: column 'valid_from' is missing; the first line must name provider"):
        read_price_file(price_file(tmp_path, header="provider,model,token_class,usd_per_million"))
    with pytest.raises(UserError, match="line 1: column 'comment' is unknown"):
        read_price_file(price_file(tmp_path, header=HEADER + ",comment"))
    with pytest.raises(UserError, match="line 1: column 'model' is there twice"):
        read_price_file(price_file(tmp_path, header=HEADER + ",model"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="line 1: column 'provider' is missing"):
        read_price_file(tmp_path / "empty.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n,caf\xe9,input,1,2026-01-01\n")
    with pytest.raises(UserError, match="line 2: not UTF-8; save"):
        read_price_file(tmp_path / "latin.csv")
    with pytest.raises(UserError, match="line 2: unexpected end of data; close every quote"):
        read_price_file(price_file(tmp_path, ',"m,input,1,'))


def test_a_file_without_terms_or_without_prices_has_none(tmp_path):
    assert read_contract_terms(price_file(tmp_path, ",m,input,1,")).equals(pl.DataFrame(schema=CONTRACT_TERMS))
    assert read_price_file(csv_of(tmp_path, COMMITMENT)).equals(pl.DataFrame(schema=PRICE_RULES))


def test_a_provider_goes_by_its_id_and_a_gateway_stays_as_it_is(tmp_path):
    rows = read_price_file(price_file(tmp_path, "Bedrock,a,input,1,", "x_ai,b,input,1,", "litellm,c,input,1,"))
    assert rows["provider"].to_list() == ["aws", "x-ai", "litellm"]
    with pytest.raises(UserError, match=r"line 3: the same price .* as line 2 \(codestral is mistral\); keep one"):
        read_price_file(price_file(tmp_path, "mistral,a,input,1,", "codestral,a,input,0,"))


def test_a_price_file_saved_by_a_spreadsheet(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b'\r\n"",gpt-5.2 , input,"2.50",2026-01-01\r\n\r\n')
    rows = read_price_file(path)
    assert rows.select("provider", "model", "rate_pico").rows() == [(None, "gpt-5.2", 2_500_000)]
