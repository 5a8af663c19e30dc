"""`tokenspread prices` as a user has it, over the sample logs and a log of what they do not have; and its laws."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import cli, price_desk, questions, sandbox, stages
from pipelines.errors import UserError
from pipelines.prices.price_file import read_price_file
from pipelines.prices.price_text import price_text
from pipelines.report import call_price
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from tests.test_cli import tokenspread
from transforms.prices import cards, imports, week
from transforms.schemas import PRICE_BOOK, PRICE_DIFFERENCES, PRICE_REFS, WEEK_SECONDS

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_logs" / "support_desk"
HOUR, DAY = 3_600, 86_400
ALWAYS = (0, WEEK_SECONDS)


def call(number: int, provider: str | None, model: str, at: str, **told: object) -> dict:
    usage = {"input_tokens": 1000 + number, "output_tokens": 100 + number}
    return {"call_id": f"own-{number}", "called_at": at, "provider": provider, "model": model} | usage | told


OWN = [
    # peak hours on a working day, none on a Saturday
    *(call(n, "deepseek", "deepseek-v4-pro", f"2026-11-20T{n:02}:30:00Z", cache_read_tokens=400) for n in range(24)),
    *(call(30 + n, "deepseek", "deepseek-v4-pro", f"2026-11-21T{n:02}:30:00Z") for n in range(8)),
    call(40, "google", "gemini-2.5-pro", "2026-11-20T10:00:00Z", input_tokens=200_000, cache_read_tokens=7),
    call(41, "google", "gemini-2.5-pro", "2026-11-20T10:00:00Z", input_tokens=200_001, cache_read_tokens=7),
    call(42, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", service_tier="flex"),
    call(43, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", service_tier="flex", region="eu"),
    call(44, "openai", "gpt-5-mini", "2026-10-01T10:00:00Z", is_batch=True),
    call(45, None, "gpt-5-mini", "2026-11-20T10:00:00Z", web_search_count=2),
    call(46, "GROQ", "Llama-3.1-8B-Instant", "2026-11-20T10:00:00Z"),
    call(47, "azure", "desk=1\x1b[31m", "2026-11-20T10:00:00Z"),
    call(48, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", status="refused"),
    call(49, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", output_tokens=None),
    call(50, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", cache_read_tokens=5000),
    call(51, "GROQ", "Llama-3.1-8B-Instant", "2026-11-20T10:00:00Z", code_session_count=1),
    call(52, "replicate", "acme/upscaler", "2026-11-20T10:00:00Z", compute_seconds=2.500001),
    call(53, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", recorded_cost_usd="0.5"),
    call(54, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z", status="cache_hit"),
]
CONTRACT = """\
kind,provider,model,token_class,usd_per_million,usd_per_unit,multiplier,weekdays,time_from,time_to,valid_from,note
price,,support-desk,input,2.00,,,,,,2026-01-01,
price,,support-desk,output,8.00,,,Mon-Fri,22:00,06:00,2026-01-01,nights
price,,support-desk,output,9.00,,,,,,2026-01-01,
price,replicate,acme/*,compute_second,,0.000225,,,,,,
multiplier,groq,*,,,,0.333333333,,,,,
"""


def invoked(*arguments: object, data: Path):
    """The command in this process, by its door: what it prints, and the error that it ends in."""
    return CliRunner().invoke(cli.app, ["prices", *map(str, arguments), "--data", str(data)], standalone_mode=False)


def prices(*arguments: object, data: Path) -> str:
    """What the command prints; its notes are on stderr."""
    done = invoked(*arguments, data=data)
    assert done.exception is None, done.exception
    return done.stdout


def mistake(*arguments: object, data: Path) -> str:
    done = tokenspread("prices", *arguments, "--data", data, cwd=data.parent)
    assert done.returncode == 1 and "Traceback" not in done.stderr and done.stdout == ""
    return done.stderr


def costs(data: Path) -> dict[str, tuple]:
    rows = sandbox.query(data / "warehouse.duckdb", "select call_id, cost_pico, time_cost_pico from calls")
    return {call_id: rest for call_id, *rest in rows.iter_rows()}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The data folder of a run over the samples and OWN, with a contract; what tests write to is a copy of it."""
    folder = tmp_path_factory.mktemp("prices")
    (folder / "own.jsonl").write_bytes(jsonl(OWN))
    (folder / "contract.csv").write_text(CONTRACT)
    logs = (str(SAMPLES), str(folder / "own.jsonl"))
    settings = Settings(logs=logs, prices=folder / "contract.csv", data=folder / "data", scenarios=())
    stages.ingest(settings)
    stages.build(settings)
    return folder / "data"


@pytest.fixture
def settings(published) -> Settings:
    return Settings(data=published, scenarios=())


@pytest.fixture
def copied(published, tmp_path) -> Path:
    """A folder of its own, of the same logs, in which no price was ever given."""
    fresh = Settings(logs=(str(SAMPLES), str(published.parent / "own.jsonl")), data=tmp_path / "data", scenarios=())
    stages.ingest(fresh)
    return tmp_path / "data"


def test_show_lists_rates_with_their_hours_contexts_units_and_who_says_so(published):
    by_hour = prices("show", "DEEPSEEK*", data=published)
    assert "Mon-Fri 01:00-04:00, 06:00-10:00 UTC, from 2026-" in by_hour and "deepseek/deepseek-v4-pro" in by_hour
    assert "Mon-Fri 00:00-01:00, 04:00-06:00, 10:00-24:00; Sat,Sun UTC" in by_hour and "openai" not in by_hour
    by_context = prices("show", "gemini-2.5-pro", data=published).splitlines()
    (above,) = [row for row in by_context if re.match(r"\S+ +input .*>", row)]
    assert "> 200,000 tokens" in above and " 2.5 " in above and "genai-prices" in above
    (second,) = [row for row in prices("show", "acme/*", data=published).splitlines() if "compute_second" in row]
    assert "0.000225  second" in second and "contract" in second


def test_show_tells_exact_money_in_every_format_and_which_models_have_no_rate(published):
    (search,) = [
        row
        for row in json.loads(prices("show", "gpt-5-mini", "--format", "json", data=published))
        if row["token_class"] == "web_search" and row["provider"] is None
    ]
    assert (search["usd"], search["per"], search["window"]) == ("0.01", "search", "always")
    rows = list(csv.DictReader(io.StringIO(prices("show", "llama*", "--format", "csv", data=published))))
    tokens = {row["token_class"]: row["usd"] for row in rows}
    assert tokens["input"] == "0.016667"  # 0.05 x 0.333333333, in whole pico-USD for a token
    done = tokenspread("prices", "show", "desk*", "--data", published, cwd=published)
    assert "without any rate: azure/desk=1\\x1b[31m" in done.stderr and "\x1b" not in done.stdout + done.stderr


def test_show_tells_what_was_believed_then_and_what_was_superseded(copied):
    stages.build(Settings(data=copied, scenarios=()))
    (copied.parent / "mine.csv").write_text(
        "provider,model,token_class,usd_per_million,valid_from\nopenai,gpt-5-mini,input,7,\n"
    )
    first = datetime.now(UTC).isoformat()
    prices("import", copied.parent / "mine.csv", data=copied)
    stages.build(Settings(data=copied, scenarios=()))

    def inputs(*arguments: object) -> set[tuple]:
        told = json.loads(prices("show", "openai/gpt-5-mini", "--format", "json", *arguments, data=copied))
        chosen = (
            row for row in told if row["token_class"] == "input" and row["service_tier"] is row["is_batch"] is None
        )
        return {(row["usd"], row["source"].split()[0], bool(row.get("superseded_at"))) for row in chosen}

    assert inputs() == {("7", "correction", False)}
    assert inputs("--as-of", first) == {("0.25", "genai-prices", False)}
    assert inputs("--history") == {("0.25", "genai-prices", True), ("7", "correction", False)}
    # what is published is priced as of then: so is what is shown and explained
    stages.build(Settings(data=copied, scenarios=(), prices_as_of=datetime.fromisoformat(first)))
    assert inputs() == {("0.25", "genai-prices", False)}
    told = prices("why", "own-53", data=copied)
    assert "input: 1,053 x 0.25 USD" in told and "genai-prices" in told and "DOES NOT HOLD" not in told


def test_the_lines_of_every_call_add_up_to_its_cost(published):
    """The law of `why`, for all calls: the same lines that it prints, against the published cost."""
    link = published / "warehouse.duckdb"
    lines = questions.answer(link, "class_lines", call_ids=None)
    by_call = lines.partition_by("call_id", as_dict=True)
    calls = sandbox.query(link, "select * from calls").rows(named=True)
    assert len(calls) == 304 + len(OWN)
    priced = 0
    for row in calls:
        told = by_call.get((row["call_id"],), lines.clear()).rows(named=True)
        assert call_price.faults(row, told) == []
        priced += row["cost_pico"] is not None and row["cost_pico"] > 0
    assert priced > 150


def test_a_line_that_does_not_add_up_is_told(settings):
    told = price_desk.why(settings, "own-42")
    stream = io.StringIO()
    call_price.write(told.call, [line | {"cost_pico": line["cost_pico"] + 1} for line in told.lines], [], stream)
    assert "THIS DOES NOT HOLD: the lines do not add up to cost_usd" in stream.getvalue()
    call_price.write(told.call, [line | {"row_rate_pico": 1} for line in told.lines], [], stream)
    assert "the rate of the card is not the one of the price book" in stream.getvalue()


def sums(text: str) -> tuple[list[Decimal], Decimal]:
    """The amounts of the lines that `why` prints, each checked, and the cost that it says they add up to."""
    amounts = []
    for quantity, rate, per, amount in re.findall(r"^\w+: ([\d,]+) x (\S+) USD per (\w+) = (\S+) USD$", text, re.M):
        exact = int(quantity.replace(",", "")) * Decimal(rate) / (10**6 if per == "million" else 1)
        assert exact == Decimal(amount)
        amounts.append(exact)
    (cost,) = re.findall(r"^= (\S+) USD, its cost_usd$", text, re.M)
    return amounts, Decimal(cost)


def test_what_why_prints_adds_up_by_hand(settings):
    query = "select min(call_id) as call_id from calls where cost_usd > 0 group by provider, model, shape, day"
    some = stages.query(settings, query)["call_id"]
    assert len(some) > 15
    for call_id in some:
        told, stream = price_desk.why(settings, call_id), io.StringIO()
        call_price.write(told.call, told.lines, told.terms, stream)
        amounts, cost = sums(stream.getvalue())
        assert amounts and sum(amounts) == cost == told.call["cost_usd"]


def test_why_names_log_card_and_the_row_behind_each_line(published):
    peak = prices("why", "own-2", data=published)
    assert "own.jsonl, line 3 (tokenspread)" in peak and "Fri 2026-11-20 02:30:00 UTC" in peak
    assert "cache_read: 400 x" in peak and "Fri 01:00-04:00 UTC" in peak and "https://" in peak
    assert "> 200,000 tokens" not in prices("why", "own-40", data=published)
    assert "> 200,000 tokens" in prices("why", "own-41", data=published)
    recorded = prices("why", "own-53", data=published)
    assert "the log says 0.5 USD; ours is 0.49943" in recorded and "less" in recorded


def test_why_finds_a_call_by_id_prefix_response_and_place(settings, published):
    by_response = price_desk.why(settings, "own-42").call
    call_id = by_response["call_id"]
    for text in (call_id, call_id[:16].upper(), "own.jsonl:35", f"{published.parent}/./own.jsonl:35"):
        assert price_desk.why(settings, text).call == by_response
    lines = json.loads(prices("why", call_id, "--format", "json", data=published))
    assert sum(Decimal(line["cost_usd"]) for line in lines) == by_response["cost_usd"]


def test_why_says_why_a_call_has_no_price_and_what_to_do(published):
    unknown = prices("why", "own-47", data=published)
    assert "azure,desk=1\\x1b[31m,input,USD_PER_MILLION,2026-11-20" in unknown and "\x1b" not in unknown
    assert '"azure/desk=1\\U0000001B[31m" = "PROVIDER/MODEL"' in unknown
    assert "not billed: it was refused" in prices("why", "own-48", data=published)
    assert "not billed: a gateway's cache answered" in prices("why", "own-54", data=published)
    assert "output_tokens not told" in prices("why", "own-49", data=published)
    odd = prices("why", "own-50", data=published)
    assert "the parts that the log tells exceed the whole" in odd and "beside its cached parts: -3,950" in odd
    session = prices("why", "own-51", data=published)
    assert "code_session: 1 x unknown" in session
    assert "GROQ,Llama-3.1-8B-Instant,code_session,USD_PER_UNIT,2026-11-20" in session and "[aliases]" not in session


def test_the_report_has_the_same_alias_to_be_pasted(published):
    assert (
        '    "azure/desk=1\\U0000001B[31m" = "PROVIDER/MODEL"'
        in tokenspread("report", "--data", published, cwd=published).stdout
    )


def test_why_tells_the_arithmetic_of_time(published):
    told = prices("why", "own-52", data=published)
    # 2.500001 s x 0.000225 = 0.000562500225 exactly
    assert "time: 2.500001 s x 0.000225 USD per second = 0.000562500225 USD, its time_cost_usd" in told
    assert "billed by time: its tokens cost nothing" in told


def test_the_ready_lines_of_why_price_the_call(published, copied):
    told = prices("why", "own-47", data=published)
    alias = next(line.strip() for line in told.splitlines() if 'MODEL"' in line).replace(
        "PROVIDER/MODEL", "openai/gpt-5-mini"
    )
    (copied.parent / "tokenspread.toml").write_text(f"[aliases]\n{alias}\n")
    assert tokenspread("build", "--data", copied, cwd=copied.parent).returncode == 6
    session = prices("why", "own-51", data=published).splitlines()
    start = session.index("put what you pay into this and give the file with --prices:") + 1
    ready = [line.strip() for line in session[start : start + 2]]
    (copied.parent / "ready.csv").write_text("\n".join(ready).replace("USD_PER_UNIT", "0.03") + "\n")
    done = tokenspread("build", "--data", copied, "--prices", "ready.csv", cwd=copied.parent)
    assert done.returncode == 6, done.stderr
    assert "= 0.00055575 USD, its cost_usd" in prices("why", "own-47", data=copied)
    assert "code_session: 1 x 0.03 USD per session = 0.03 USD" in prices("why", "own-51", data=copied)


LITELLM = {
    "sample_spec": {"litellm_provider": "openai"},
    "gpt-5-mini": {
        "litellm_provider": "openai", "input_cost_per_token": 0.0000003, "output_cost_per_token": 0.000002,
        "output_cost_per_reasoning_token": 0.000005,
    },
    "gemini/gemini-2.5-pro": {
        "litellm_provider": "gemini", "input_cost_per_token": 0.00000125, "output_cost_per_token": 0.00001,
        "input_cost_per_token_above_200k_tokens": 0.000003, "output_cost_per_token_above_200k_tokens": 0.000015,
    },
}  # fmt: skip


@pytest.fixture
def price_map(tmp_path) -> Path:
    (tmp_path / "map.json").write_text(json.dumps(LITELLM))
    return tmp_path / "map.json"


def test_diff_tells_what_each_difference_is_worth_to_the_last_digit(published, settings, price_map):
    rows = json.loads(prices("diff", "--litellm", price_map, "--format", "json", data=published))
    told = {
        (row["provider"], row["model"], row["token_class"], row["service_tier"], row["is_batch"]): row for row in rows
    }
    above = told["google", "gemini-2.5-pro", "input", None, None]
    # the one call above 200,000: 200,001 - 7 cached, x (3 - 2.5) USD per million
    assert (above["published"], above["USD"], above["other_USD"]) == ("genai-prices", "2.5", "3")
    assert (above["quantity"], above["calls"], above["worth_USD"]) == (199_994, 1, "0.099997")
    mini = told["openai", "gpt-5-mini", "input", None, None]
    counted = stages.query(
        settings,
        "select sum(uncached_input_tokens)::bigint as n from calls where model = 'gpt-5-mini' and provider = 'openai' "
        "and service_tier is null and is_batch is null and price_status in ('exact', 'class_unpriced')",
    )["n"][0]
    assert mini["quantity"] == counted and Decimal(mini["worth_USD"]) == counted * Decimal("0.00000005")
    worth = [abs(Decimal(row["worth_USD"])) for row in rows]
    assert worth == sorted(worth, reverse=True) and ("openai", "gpt-5-mini", "output", None, None) not in told
    table = prices("diff", "--litellm", price_map, data=published)
    total = sum(
        Decimal(row["worth_USD"]) for row in rows if (row["published"], row["other"]) == ("genai-prices", "litellm")
    )
    (line,) = [line for line in table.splitlines() if re.match(r"genai-prices +litellm", line)]
    assert Decimal(line.split()[-1]) == total


def test_diff_is_by_hour_where_the_prices_are(published, settings, tmp_path):
    entry = {"litellm_provider": "deepseek", "input_cost_per_token": 0.000002, "output_cost_per_token": 0.000003}
    (tmp_path / "map.json").write_text(json.dumps({"deepseek/deepseek-v4-pro": entry}))
    found = price_desk.diff(settings, tmp_path / "map.json").rows
    rows = found.filter(pl.col("source") == "litellm", pl.col("token_class") == "input").rows(named=True)
    expected = sum(
        (2_000_000 - line["rate_pico"]) * line["quantity"]
        for line in questions.answer(published / "warehouse.duckdb", "class_lines", call_ids=None).rows(named=True)
        if line["model"] == "deepseek-v4-pro" and line["token_class"] == "input"
    )
    assert sum(row["worth_pico"] for row in rows) == expected
    assert len({row["window"] for row in rows}) == 2 and expected != 0


def test_diff_says_how_to_compare_litellm_too(published):
    done = tokenspread("prices", "diff", "--data", published, cwd=published)
    assert done.returncode == 0 and "rates differ in 2026-10-01 to 2026-11-21" in done.stderr
    assert "LiteLLM" in done.stderr


def test_a_published_rate_that_the_user_set_is_named(copied, price_map):
    (copied.parent / "mine.csv").write_text(
        "provider,model,token_class,usd_per_million,valid_from\n,gpt-5-mini,input,7,\n"
    )
    done = tokenspread("build", "--prices", "mine.csv", "--data", copied, cwd=copied.parent)
    assert done.returncode == 6, done.stderr
    rows = json.loads(prices("diff", "--litellm", price_map, "--format", "json", data=copied))
    inputs = [row for row in rows if (row["model"], row["token_class"]) == ("gpt-5-mini", "input")]
    mini = {(row["published"], row["other"]) for row in inputs if not row["is_batch"]}
    assert mini == {("contract", "genai-prices"), ("contract", "litellm")}


def test_diff_compares_what_is_published_where_the_sources_agree(copied):
    mine = copied.parent / "mine.csv"
    head = "kind,provider,model,token_class,usd_per_million,multiplier,valid_from\n"
    mine.write_text(f"{head}price,openai,gpt-5-mini,input,2.5,,\nmultiplier,openai,gpt-5-mini,output,,10,\n")
    assert tokenspread("build", "--prices", mine, "--data", copied, cwd=copied).returncode == 6
    rows = json.loads(prices("diff", "--format", "json", data=copied))
    assert not [row for row in rows if "published" in (row["published"], row["other"])]
    told = {(row["published"], row["USD"], row["other"], row["other_USD"]): row for row in rows if not row["is_batch"]}
    of_input = told["contract", "2.5", "genai-prices", "0.25"]
    assert Decimal(of_input["worth_USD"]) == -of_input["quantity"] * Decimal("0.00000225") < 0
    of_output = told["genai-prices x 10 by contract", "20", "genai-prices", "2"]
    assert Decimal(of_output["worth_USD"]) == -of_output["quantity"] * Decimal("0.000018") < 0
    # the rows are what the published cost would be without the contract
    cost = "select sum(cost_pico) as cost from calls where model = 'gpt-5-mini' and is_batch is not true"
    before = sandbox.query(copied / "warehouse.duckdb", cost)["cost"][0]
    mini = [row for row in rows if (row["provider"], row["model"]) == ("openai", "gpt-5-mini") and not row["is_batch"]]
    worth = sum(Decimal(row["worth_USD"]) for row in mini if row["other"] == "genai-prices")
    mine.write_text(head)
    assert tokenspread("build", "--prices", mine, "--data", copied, cwd=copied).returncode == 6
    after = sandbox.query(copied / "warehouse.duckdb", cost)["cost"][0]
    assert int(after) - int(before) == worth.scaleb(12)


def test_what_is_exported_and_imported_costs_the_same(published, copied):
    """The law of export: the book of one folder, as a file, prices the same logs alike in another."""
    book = copied.parent / "book.csv"
    done = tokenspread("prices", "export", book, "--data", published, cwd=copied)
    assert done.returncode == 0 and "cannot tell" not in done.stderr, done.stderr
    text = book.read_text()
    assert "Mon-Fri" in text and "200000" in text and "genai-prices" in text and "x 0.333333333 by contract" in text
    before = costs(published)
    took = prices("import", book, data=copied)
    assert re.search(r"^took +\d+ rates of \d+ models as corrections$", took, re.M)
    stages.build(Settings(data=copied, scenarios=()))
    assert costs(copied) == before
    assert len(before) == 304 + len(OWN) and sum(cost is not None for cost, _ in before.values()) > 200
    again = prices("export", data=copied)
    parsed = [list(csv.DictReader(io.StringIO(each))) for each in (text, again)]
    rates = [
        {tuple(row[name] for name in row if name not in ("note", "source_url")) for row in rows} for rows in parsed
    ]
    assert rates[0] == rates[1]


TERMS = """\
kind,provider,model,above_usd_per_month,multiplier,usd_per_month,usd,allocate_by,output_weight,valid_from,valid_to,note
volume_tier,openai,gpt-5-mini,0,0.5,,,,,2026-11-01,2026-12-01,
commitment,openai,*,,,1000,,,,2026-11-01,2026-12-01,yearly deal
time,azure,desk*,,,,3.5,tokens,1,2026-11-01,2026-12-01,
time,replicate,acme/*,,,,9,tokens,1,2026-10-01,2026-11-01,
"""


def test_export_says_what_a_price_file_for_import_lacks(copied):
    (copied.parent / "terms.csv").write_text(TERMS)
    assert tokenspread("build", "--prices", "terms.csv", "--data", copied, cwd=copied.parent).returncode == 6
    done = tokenspread("prices", "export", "--data", copied, cwd=copied)
    assert "not in it: the contract's volume tiers, bills for time, commitments; they are in the file" in done.stderr
    book = prices("show", "--format", "json", data=copied)
    unsure = [row for row in json.loads(book) if row["price_status"] == "context_unmatched"]
    assert unsure and re.search(r"^[1-9]\d* rates of no exact match \(.*context_unmatched", done.stderr, re.M)


def test_export_to_a_terminal_writes_no_control_character(copied):
    (copied.parent / "mine.csv").write_text(
        "provider,model,token_class,usd_per_million,valid_from\nazure,desk=1\x1b[31m,input,7,\n"
    )
    assert tokenspread("build", "--prices", "mine.csv", "--data", copied, cwd=copied.parent).returncode == 6
    command = [
        sys.executable,
        "-c",
        "from pipelines.cli import main; main()",
        "prices",
        "export",
        "--data",
        str(copied),
    ]
    main, terminal = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, stdout=terminal, stderr=subprocess.DEVNULL):
        os.close(terminal)
        told = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(main, 65536):
                told += part
    os.close(main)
    assert b"desk=1\\x1b[31m" in told and b"\x1b" not in told
    assert told.decode().splitlines()[0] == prices("export", data=copied).splitlines()[0]
    assert "desk=1\x1b[31m" in prices("export", data=copied)


def test_why_tells_the_terms_that_a_call_is_under(copied):
    (copied.parent / "terms.csv").write_text(TERMS)
    assert tokenspread("build", "--prices", "terms.csv", "--data", copied, cwd=copied.parent).returncode == 6
    bill = prices("why", "own-47", data=copied)
    assert "its share of the bill is in allocated_costs" in bill and "tells no time" not in bill
    assert "a bill for time (contract_terms, term 3) of 2026-11-01 to 2026-11-30: 3.5 USD for the one call" in bill
    both = prices("why", "own-53", data=copied)
    (amount,) = re.findall(
        r"^apart: a volume discount .*2026-11-30.*: (\S+) USD for the (?:\d+ calls|one call) ", both, re.M
    )
    query = (
        "select allocated_usd from allocated_costs where scenario_order = 0 and kind = 'volume_tier' "
        "and day = '2026-11-20' and provider = 'openai' and priced_model = 'gpt-5-mini' and feature is null"
    )
    assert Decimal(amount) == sandbox.query(copied / "warehouse.duckdb", query)["allocated_usd"][0]
    # the log does not span the month, so nobody knows yet what is short of the commitment
    assert re.search(r"^apart: a commitment's shortfall .*: nothing for the \d+ calls", both, re.M)
    assert ", yearly deal:" in both
    assert "apart:" not in prices("why", "own-48", data=copied) + prices("why", "own-2", data=copied)


def test_why_tells_of_a_second_that_is_priced_and_not_told(copied):
    (copied.parent / "seconds.csv").write_text(
        "provider,model,token_class,usd_per_unit,valid_from\nazure,desk*,compute_second,0.1,\n"
    )
    assert tokenspread("build", "--prices", "seconds.csv", "--data", copied, cwd=copied.parent).returncode == 6
    told = prices("why", "own-47", data=copied)
    assert "unpriced: it is billed by the second, and the log tells no compute time" in told
    assert "compute_seconds in the log would tell it" in told and " x unknown" not in told and "= 0 USD" not in told


def test_export_as_of_an_instant_is_what_was_believed(copied):
    stages.build(Settings(data=copied, scenarios=()))
    first, instant = prices("export", data=copied), datetime.now(UTC).isoformat()
    (copied.parent / "mine.csv").write_text("provider,model,token_class,usd_per_million,valid_from\n,*,input,7,\n")
    prices("import", copied.parent / "mine.csv", data=copied)
    stages.build(Settings(data=copied, scenarios=()))
    assert prices("export", "--as-of", instant, data=copied) == first != prices("export", data=copied)


def test_a_price_map_is_imported_for_the_models_of_the_ledger(copied, price_map):
    took = prices("import", price_map, data=copied)
    # the flex and the batch price of gpt-5-mini, of which the map says nothing, are as before
    assert re.search(r"^kept .*openai/gpt-5-mini \(flex\) input", took, re.M)
    stages.build(Settings(data=copied, scenarios=()))
    assert "input: 1,053 x 0.3 USD per million" in prices("why", "own-53", data=copied)
    flex = prices("why", "own-42", data=copied)
    assert "input: 1,042 x 0.125 USD per million" in flex and "as believed before the import; genai-prices" in flex
    assert "input: 1,044 x 0.125" in prices("why", "own-44", data=copied)
    assert prices("import", price_map, data=copied).splitlines()[-1].startswith("changes     0 rates, gains 0, loses 0")


def test_an_import_replaces_the_one_before_and_says_what_it_takes(copied):
    mine = copied.parent / "mine.csv"
    head = "provider,model,token_class,usd_per_million,valid_from\n"
    mine.write_text(f"{head}openai,gpt-5-mini,input,7,\n,nobody-calls-me,input,1,\n")
    first = prices("import", mine, data=copied).splitlines()
    assert first[0] == "took        2 rates of 2 models as corrections"
    assert first[1] == "no call     is of nobody-calls-me"
    assert re.fullmatch(r"changes     \d+ rates?, gains \d+, loses \d+ of the price book, with the next .*", first[-1])
    assert "former import" not in "".join(first)
    other = copied.parent / "other.csv"
    other.write_text(f"{head}openai,gpt-5-mini,output,9,\n")
    second = prices("import", other, data=copied).splitlines()
    assert re.fullmatch(r"replaces    the 2 rates of the former import \(\S*mine.csv\)", second[1])
    stages.build(Settings(data=copied, scenarios=()))
    told = prices("why", "own-53", data=copied)
    assert "input: 1,053 x 0.25 USD" in told and "output: 153 x 9 USD" in told
    # the contract goes before it
    contract = copied.parent / "contract.csv"
    contract.write_text(f"{head}openai,gpt-5-mini,output,11,\n")
    assert tokenspread("build", "--prices", contract, "--data", copied, cwd=copied).returncode == 6
    assert "output: 153 x 11 USD" in prices("why", "own-53", data=copied)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["why", "nothing"], "nothing: no call of the ledger has this id; give a call_id"),
        (["why", "abcde"], "abcde: no call of the ledger has this id"),
        (["why", "000000"], "calls; give one of their ids: 0000"),
        (["why", "elsewhere.jsonl:3"], "elsewhere.jsonl:3: no log of this path was read"),
        (["why", "own.jsonl:9999"], "own.jsonl:9999: no call of the ledger is from this line"),
        (["why", "own-42", "--format", "yaml"], "--format yaml: no such format"),
        (["show", "nomodel*"], "nomodel*: no model of the ledger is called so; there are "),
        (["show", "--as-of", "2020-01-31"], "nothing was believed yet; the first rates are of 20"),
        (["show", "--as-of", "today"], "--as-of today: no date"),
        (["show", "--as-of", ""], "--as-of : no date"),
        (["export", "--as-of", ""], "--as-of : no date"),
        (["import", "exponent.csv"], "usd_per_million 2.5e0 has an exponent, which is not read; write the number out"),
        (["import", "negative.csv"], "usd_per_million -1 is negative; a price is 0 (free) or more"),
        (["import", "less.csv"], "multiplier -1 is negative; write 0.85 for 15 % off"),
        (["import", "tier.csv"], "above_usd_per_month -5 is negative; write 0 or more"),
        (
            ["import", "empty.csv"],
            "empty.csv, line 1: column 'provider' is missing, as the file is empty; the first line",
        ),
        (["import", "semicolon.csv"], "line 1: columns are separated by ';'; save the file as CSV with commas"),
        (["import", "tab.csv"], "line 1: columns are separated by a tab; save the file as CSV with commas"),
        (["diff", "--litellm", "nowhere.json"], "nowhere.json: cannot be read"),
        (["diff", "--litellm", "own.jsonl"], "own.jsonl: not JSON"),
        (["export", "nowhere/book.csv"], "nowhere/book.csv: cannot be written"),
        (["export", "--as-of", "2020-01-31"], "nothing was believed yet"),
        (["import", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["import", "bad.csv"], "bad.csv, line 2: usd_per_million 'x' is not a number"),
        (["import", "terms.csv"], "terms.csv: has volume tiers, commitments or bills, which are of a contract"),
        (["import", "other.json"], "LiteLLM; give LiteLLM's model_prices_and_context_window.json"),
        (["import", "foreign.json"], "foreign.json: has no price of any model of the ledger"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_fix(published, monkeypatch, arguments, message):
    folder = published.parent
    head = "provider,model,token_class,usd_per_million,valid_from\n"
    (folder / "bad.csv").write_text(f"{head},gpt-5-mini,input,x,\n")
    (folder / "terms.csv").write_text(
        "kind,provider,model,usd_per_month,valid_from\ncommitment,openai,*,9,2026-01-01\n"
    )
    (folder / "exponent.csv").write_text(f"{head},gpt-5-mini,input,2.5e0,\n")
    (folder / "negative.csv").write_text(f"{head},gpt-5-mini,input,-1,\n")
    (folder / "less.csv").write_text("kind,provider,model,multiplier,valid_from\nmultiplier,,*,-1,\n")
    tier = "kind,provider,model,above_usd_per_month,multiplier,valid_from\nvolume_tier,,*,-5,0.9,\n"
    (folder / "tier.csv").write_text(tier)
    (folder / "empty.csv").write_text("\n")
    (folder / "semicolon.csv").write_text(head.replace(",", ";"))
    (folder / "tab.csv").write_text(head.replace(",", "\t"))
    (folder / "other.json").write_text('{"gpt-5-mini": 1}')
    entry = {"litellm_provider": "nobody", "input_cost_per_token": 1e-6}
    (folder / "foreign.json").write_text(json.dumps({"nobody/none": entry}))
    monkeypatch.chdir(folder)
    done = invoked(*arguments, data=published)
    assert isinstance(done.exception, UserError) and message in str(
        done.exception
    )  # `main` prints it, and no traceback
    assert done.stdout == "" and (arguments[0] != "import" or "--litellm" not in str(done.exception))


def test_without_a_warehouse_each_command_says_so(tmp_path):
    for arguments in (["show"], ["why", "abcdef"], ["diff"], ["export"]):
        assert "nothing is published yet; run `tokenspread build`" in mistake(*arguments, data=tmp_path / "none")
    (tmp_path / "mine.csv").write_text("provider,model,token_class,usd_per_million,valid_from\n")
    assert "none: no such data folder" in mistake("import", tmp_path / "mine.csv", data=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "warehouse.duckdb").write_bytes(b"not a database" * 1000)
    assert "warehouse.duckdb: cannot be asked" in mistake("show", data=tmp_path / "junk")


def test_a_quarantined_line_is_told_with_its_reason(tmp_path):
    records = [call(1, "openai", "gpt-5-mini", "2026-11-20T10:00:00Z"), {**OWN[0], "status": "perhaps"}]
    (tmp_path / "log.jsonl").write_bytes(jsonl(records))
    done = tokenspread("run", "log.jsonl", "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "log.jsonl:2: the line is quarantined (" in mistake("why", "log.jsonl:2", data=tmp_path / "data")


def test_help_lists_the_commands(tmp_path):
    told = tokenspread("prices", "--help", cwd=tmp_path).stdout
    assert all(re.search(rf"\b{name}\b", told) for name in ("show", "why", "diff", "export", "import"))


# Parts


def rate(
    token_class: str = "input", rate_pico: int | None = 1, window: tuple[int, int] = ALWAYS, **told: object
) -> dict:
    windows = dict(zip(week.WINDOW, window, strict=True))
    ref = dict.fromkeys(PRICE_BOOK) | {
        "provider": "lab",
        "model": "m",
        "source": "genai-prices 1",
        "price_status": "exact",
    }
    return ref | {"token_class": token_class, "context_above": 0, "rate_pico": rate_pico, **windows} | told


def frame(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


@pytest.mark.parametrize(
    "windows, text",
    [
        ([ALWAYS], "always"),
        ([(0, DAY), (DAY, WEEK_SECONDS)], "always"),
        ([(day * DAY + HOUR, day * DAY + 4 * HOUR) for day in range(5)], "Mon-Fri 01:00-04:00 UTC"),
        ([(5 * DAY, WEEK_SECONDS)], "Sat,Sun UTC"),
        ([(0, HOUR), (DAY - 90, DAY + HOUR)], "Mon 23:58:30-24:00; Mon,Tue 00:00-01:00 UTC"),
        ([(0, HOUR), (2 * DAY, 2 * DAY + HOUR), (4 * DAY, 4 * DAY + HOUR)], "Mon,Wed,Fri 00:00-01:00 UTC"),
    ],
)
def test_windows_in_words(windows, text):
    assert week.described(windows) == text


def test_windows_are_the_same_after_a_price_file(tmp_path):
    windows = [(0, 90 * 60), (DAY - HOUR, 2 * DAY + HOUR), (3 * DAY, 6 * DAY), (6 * DAY + HOUR, WEEK_SECONDS)]
    (tmp_path / "p.csv").write_text(price_text(frame(*(rate(window=window) for window in windows))))
    rules = read_price_file(tmp_path / "p.csv", "correction").sort("week_second_from")
    assert week.day_parts(rules.select(week.WINDOW).iter_rows()) == week.day_parts(windows)
    assert rules["source"].unique().to_list() == ["correction"]


def test_a_price_file_has_each_digit_of_a_rate_and_no_rate_that_is_unknown(tmp_path):
    rates = [rate("input", 1), rate("output", 123_456_789), rate("request", 1), rate("compute_second", 10**12)]
    (tmp_path / "p.csv").write_text(text := price_text(frame(*rates, rate("reasoning", None), rate(model="M"))))
    read = dict(read_price_file(tmp_path / "p.csv").select("token_class", "rate_pico").iter_rows())
    assert read == {"input": 1, "output": 123_456_789, "request": 1, "compute_second": 10**12}
    assert "E-" not in text and ",0.000001," in text  # M and m are one name to a price file: written once


def test_what_a_price_file_would_reach_is_stated_as_what_it_is_priced_as():
    refs = frame(rate(), rate(service_tier="flex"), rate(service_tier="fast")).select(list(PRICE_REFS))
    book = frame(
        rate("input", 9), rate("output", 8), rate("reasoning", 7), rate("web_search", 6),
        rate("output", 4, service_tier="flex"), rate("input", 5, service_tier="flex"),
    )  # fmt: skip
    rows, exposed = imports.shielded(book, refs)
    added = {(row["service_tier"], row["token_class"], row["rate_pico"]) for row in rows[6:].iter_rows(named=True)}
    assert added == {("flex", "reasoning", 4)}
    assert {(row["service_tier"], row["token_class"]) for row in exposed} == {
        ("flex", "web_search"), ("fast", "input"), ("fast", "output"), ("fast", "reasoning"), ("fast", "web_search"),
    }  # fmt: skip


def test_a_class_with_a_hole_is_left_out_of_an_import():
    refs = frame(rate()).select(list(PRICE_REFS))
    stated = frame(rate("input", 1), rate("output", 2), rate("output", None, context_above=200_000))
    rows, left_out, kept, exposed = imports.corrections(stated, frame(rate("output", 3)), refs)
    assert rows["token_class"].to_list() == ["input"] and [row["token_class"] for row in left_out] == ["output"]
    assert kept == exposed == []


def test_what_an_import_gains_changes_and_loses():
    before = frame(rate("input", 1), rate("output", 2), rate("reasoning", 3), rate("cache_read", None))
    after = frame(
        rate("input", 1), rate("output", 9), rate("reasoning", None), rate("request", 5), rate("web_search", 6)
    )
    assert imports.revised_counts(before, after) == (2, 1, 1)
    assert imports.revised_counts(after, before) == (1, 1, 2)
    assert imports.revised_counts(after, after) == (0, 0, 0)


def test_a_ref_that_a_price_file_would_price_otherwise_is_found():
    """A search has a price without a tier and none at flex: a file has no word for that."""
    refs = frame(rate(), rate(service_tier="flex")).select(list(PRICE_REFS))
    book = frame(
        rate(), rate("output"), rate("web_search"), rate(service_tier="flex"), rate("output", service_tier="flex")
    )
    more = frame(rate("web_search", service_tier="flex"))
    part = frame(rate("reasoning", service_tier="flex"))  # priced as output, which costs the same
    for told, expected in ((book, []), (pl.concat([book, part]), []), (pl.concat([book, more]), ["flex"])):
        found = imports.differing_refs(*cards.rate_cards({"believed": book, "told": told}, refs))
        assert [ref["service_tier"] for ref in found] == expected


def test_a_question_has_a_bound_of_memory_and_spills_to_a_folder_of_its_own(published):
    with sandbox.connect_sandboxed(published / "warehouse.duckdb") as connection:
        query = "select current_setting('memory_limit'), current_setting('temp_directory')"
        limit, spilled = connection.sql(query).fetchall()[0]
        assert limit == "667.5 MiB"
        sort = "select max(r) from (select row_number() over (order by hash(i), i) as r from range(40000000) as t(i))"
        assert connection.sql(sort).fetchall() == [(40_000_000,)]
        assert Path(spilled).is_dir() and not Path(".tmp").exists()
    assert not Path(spilled).exists()


def test_nothing_differs_where_nothing_is_stated(settings):
    empty = pl.DataFrame(schema=PRICE_DIFFERENCES)
    cells = questions.answer(
        settings.data / "warehouse.duckdb",
        "difference_worth",
        {"differences": (empty, PRICE_DIFFERENCES)},
        call_ids=None,
    )
    rows, totals = imports.worth(empty, cells)
    assert rows.is_empty() and totals.is_empty()
