"""`tokenspread reconcile` as a user has it, over a week of logs that were read and priced."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines import stages
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.pipelines.bills import FIRST, anthropic_page, cents, openai_costs, table, usd, written

ROOT = Path(__file__).parent.parent
CLASSES = ("input", "output")
RATES = {"gpt-5.2-2025-12-11": 2, "gpt-4o-2024-08-06": 5}  # USD per million tokens of input
PRICE_COLUMNS = ("provider", "model", "token_class", "usd_per_million", "valid_from", "kind", "above_usd_per_month",
                 "multiplier")  # fmt: skip
DAYS = [FIRST + timedelta(days=number) for number in range(7)]


def reconcile(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "reconcile", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def tokens(day: date, model: str) -> int:
    return 1_000_000 * (1 + DAYS.index(day)) + 1000 * len(model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A week of two models, in two service tiers, and of one model without a price. What is above 100 USD costs 0.9."""
    folder = tmp_path_factory.mktemp("reconcile")
    records = []
    for day in DAYS:
        for model in RATES:
            half = {"called_at": f"{day}T12:00:00Z", "provider": "openai", "model": model, "output_tokens": 0}
            half["input_tokens"] = tokens(day, model) // 2
            records += [half | {"service_tier": "default"}, half]
        unpriced = {"called_at": f"{day}T12:00:00Z", "provider": "anthropic", "model": "x-ray", "input_tokens": 0}
        records.append(unpriced | {"output_tokens": 1000})
    log = written(folder, "log.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    prices = table(
        PRICE_COLUMNS,
        *(("openai", model, name, rate, "", "", "", "") for model, rate in RATES.items() for name in CLASSES),
        ("openai", "*", "", "", "", "volume_tier", 100, "0.9"),
    )
    settings = Settings(
        logs=(str(folder / log),), prices=folder / written(folder, "prices.csv", prices),
        data=folder / "tokenspread_data",
    )  # fmt: skip
    stages.ingest(settings)
    stages.build(settings)
    return folder


def bill(days: list[date], mispriced: str | None = None, quantities: bool = False) -> str:
    """As the log computes it, but that one model is billed at 1.1 times the rate."""
    told = []
    for day in days:
        results = []
        for model, rate in RATES.items():
            cost = tokens(day, model) * rate * (11 if model == mispriced else 10)  # of 10^-7 USD
            extra = {"quantity": tokens(day, model)} if quantities else {}
            results.append(usd(f"{model}, input", f"{cost // 10**7}.{cost % 10**7:07d}", **extra))
        told.append((day, results))
    return openai_costs(told)


@pytest.mark.parametrize("quantities", [False, True])
def test_a_missing_day_and_a_mispriced_model_are_both_named_to_the_cent(folder, quantities):
    """The bill lacks the fourth day, and bills gpt-4o at 1.1 times our rate."""
    model = "gpt-4o-2024-08-06"
    written(folder, "costs.json", bill(DAYS[:3] + DAYS[4:], mispriced=model, quantities=quantities))
    missing = sum(tokens(DAYS[3], name) * rate for name, rate in RATES.items())  # of 10^-6 USD
    dearer = sum(tokens(day, model) for day in DAYS[:3] + DAYS[4:]) * 5 // 10
    done = reconcile("costs.json", "--by", "day", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [
        (row["cause"], row["day"], row["model"], row["price_change_share"], float(row["amount_usd"]))
        for row in found["explained"]
    ] == [
        ("day missing in the bill", "2026-11-04", None, None, -missing / 10**6),
        ("price differs", None, model, 0.1, dearer / 10**6),
    ]
    assert found["totals"]["gap_usd"] == f"{(dearer - missing) / 10**6:.12f}"
    assert found["totals"]["residual_usd"] == f"{0:.12f}"
    assert [row["provider"] for row in found["not_compared"]] == ["anthropic"]
    shown = reconcile("costs.json", "--by", "day", cwd=folder).stdout
    gap = f"-{(missing - dearer) / 10**6:,.2f}"
    for line in (
        f"gap         {gap} USD (",
        "residual    0.00 USD (+0.0%)",
        f"{-missing / 10**6:,.2f}    openai 2026-11-04\n",
        f"{dearer / 10**6:,.2f}    openai gpt-4o-2024-08-06: billed at 1.10 x our rate\n",
        "left out    - USD computed of 7 days, anthropic: no bill of this provider",
        "Computed against billed, by day (USD)",
    ):
        assert line in shown, shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("tolerance", "code"), [(None, 0), ("10%", 0), ("6.67%", 0), ("6.66%", 5), ("0%", 5)])
def test_the_tolerance_sets_the_exit_code(folder, tolerance, code):
    written(folder, "dear.json", bill(DAYS, mispriced="gpt-4o-2024-08-06"))  # a gap of 6.666 %
    done = reconcile("dear.json", *(["--tolerance", tolerance] if tolerance else []), cwd=folder)
    assert done.returncode == code, done.stdout
    shown = [line for line in done.stdout.splitlines() if line.startswith("tolerance")]
    is_within = "above" if code else "within"
    assert shown == ([] if tolerance is None else [f"tolerance   the gap is {is_within} {tolerance}"])


def test_a_day_that_is_billed_twice_makes_up_for_no_missing_day(folder):
    """The bill lacks the first day, and bills it again, as if of the second."""
    page = json.loads(bill([DAYS[0], *DAYS[1:]], quantities=True))
    page["data"][0] |= {name: page["data"][1][name] for name in ("start_time", "end_time")}
    log_starts = openai_costs([(DAYS[0], [])])
    written(folder, "shifted.json", json.dumps(page) + log_starts)
    done = reconcile("shifted.json", "--tolerance", "1%", cwd=folder)
    moved = 2 * sum(tokens(DAYS[0], model) * rate for model, rate in RATES.items()) / 10**6
    assert done.returncode == 5
    assert "gap         0.00 USD" in done.stdout
    above = f"tolerance   the gap is above 1%: {moved:.2f} USD, no cause or provider making up for another\n"
    assert above in done.stdout
    found = json.loads(reconcile("shifted.json", "--tolerance", "8%", "--json", cwd=folder).stdout)
    assert (found["totals"]["deviation_usd"], found["is_within_tolerance"]) == (f"{moved:.12f}", True)


def test_exports_that_overlap_are_told_before_all_else(folder):
    names = [written(folder, f"{number}.json", bill(DAYS[:number])) for number in (1, 2)]
    once = sum(tokens(DAYS[0], model) * rate for model, rate in RATES.items()) / 10**6
    done = reconcile(*names, cwd=folder)
    fact = f"overlap     openai is billed for 1 day in 2 files ({names[0]}, {names[1]}), {once:.2f} USD in the second"
    assert done.stdout.splitlines()[0] == f"{fact}: where they tell of the same charges, name one"
    assert done.returncode == 0
    (told,) = json.loads(reconcile(*names, "--json", cwd=folder).stdout)["overlaps"]
    assert told == {
        "provider": "openai", "source_file": names[1], "other_files": names[:1], "day_count": 1,
        "billed_usd": f"{once:.12f}",
    }  # fmt: skip
    assert "overlap" not in reconcile(names[1], cwd=folder).stdout


def test_many_overlaps_take_few_lines(folder):
    names = [written(folder, f"o{number:02}.json", bill(DAYS[:1]) + "\n" * number) for number in range(12)]
    lines = [line for line in reconcile(*names, cwd=folder).stdout.splitlines() if line.startswith("overlap")]
    assert f"in 5 files ({', '.join(names[:3])}, 1 more, {names[4]})" in lines[3]
    assert lines[8:] == ["overlap     3 more files overlap; all of them with --json"]


def test_what_a_contract_says_beside_prices_is_told_beside_the_totals(folder):
    written(folder, "costs.json", bill(DAYS))
    spent = sum(tokens(day, model) * rate for day in DAYS for model, rate in RATES.items())  # of 10^-6 USD
    done = reconcile("costs.json", cwd=folder)
    told = f"apart       -{(spent / 10**6 - 100) / 10:.2f} USD of volume discounts in these days and providers"
    assert f"{told} are not in the computed cost (table costs_apart)\n" in done.stdout
    found = json.loads(reconcile("costs.json", "--json", cwd=folder).stdout)
    discount = f"-{(spent - 100 * 10**6) / 10**7:.12f}"
    assert found["apart"] == [{"provider": "openai", "kind": "volume_tier", "cost_usd": discount}]


def test_what_is_not_of_calls_and_what_is_not_in_the_log_keeps_its_money(folder):
    text = openai_costs([(DAYS[0], [usd("whisper-2, audio input", "0.75"), usd(None, "9")])])
    done = reconcile(written(folder, "odd.json", text), cwd=folder)
    assert "1 other row, 9.00 USD: no line item" in done.stdout
    assert "0.75    openai whisper-2" in done.stdout
    page = anthropic_page([(DAYS[0], [cents("250", "x-ray-20260101", token_type="output_tokens")])])
    done = reconcile(written(folder, "anthropic.json", page), "--by", "token_class", cwd=folder)
    assert "2.50  unpriced in tokenspread" in done.stdout
    assert "2.50    anthropic x-ray" in done.stdout


def test_a_mapped_bill(folder):
    rows = [(day, model, f"{tokens(day, model) * rate}e-6") for day in DAYS for model, rate in RATES.items()]
    written(folder, "ours.csv", table(("Day", "Name", "Cost"), *rows))
    written(folder, "mine.toml", """
[bill.ours.fields]
day = "Day"
provider = { const = "openai" }
model = "Name"
billed_usd = "Cost"
""")  # fmt: skip
    done = reconcile("ours.csv", "--config", "mine.toml", "--tolerance", "0%", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "What explains the gap" not in done.stdout


MISTAKES = {
    "no bill": (["notes.txt"], 1, "notes.txt: no bill that is known"),
    "no file": (["nowhere.json"], 1, "nowhere.json: no such file or folder"),
    "grouping": (
        ["costs.json", "--by", "colour"],
        1,
        "--by colour: no such grouping; known are day, model, token_class",
    ),
    "tolerance": (["costs.json", "--tolerance", "0.01"], 1, "--tolerance 0.01: not a percentage; write one such as 1%"),
    "quantities only": (["usage.csv", "--tolerance", "1%"], 1, "--tolerance: the bills tell quantities only"),
    "no charges": (["nothing.json", "--tolerance", "1%"], 1, "--tolerance: the bills hold no charges of LLM calls"),
    "nothing named": ([], 2, "Missing argument"),
    "nothing published": (["costs.json", "--data", "empty"], 1, "nothing is published yet"),
    "mapping": (["costs.json", "--config", "bad.toml"], 1, "bad.toml: [bill.x] fields cannot be 5"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_a_line(folder, name):
    arguments, code, message = MISTAKES[name]
    written(folder, "notes.txt", "Dear all,\nhello\n")
    written(folder, "costs.json", bill(DAYS))
    written(
        folder, "usage.csv", table(("start_time", "model", "input_tokens", "output_tokens"), (1793491200, "m", 1, 2))
    )
    written(folder, "nothing.json", openai_costs([(DAYS[0], [])]))
    written(folder, "bad.toml", "[bill.x]\nfields = 5\n")
    done = reconcile(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr and "Traceback" not in done.stderr


WRONG = {
    "bill = 5": "[bill] cannot be 5",
    "[bill.x]\nmodels = 5": "[bill.x] models cannot be 5",
    "[bill.x.classes]\nprompt = 5": "[bill.x] classes 'prompt' cannot be 5",
    "[bill.x.fields]\nday = 5": "[bill.x] fields day cannot be 5",
    "[bill.x.fields]\nday = { column = 'a', format = 5 }": "[bill.x] fields day cannot be 5",
}


@pytest.mark.parametrize("text", WRONG)
def test_the_bill_table_of_the_settings_is_checked(tmp_path, text):
    path = written(tmp_path, "c.toml", text + "\n")
    with pytest.raises(UserError) as mistake:
        Settings.load(Path(path))
    assert f"c.toml: {WRONG[text]}" in str(mistake.value)
