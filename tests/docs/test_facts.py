"""Tables of the pages that list what the code knows list all of it, and nothing else."""

import dataclasses
import re
import tomllib

from pipelines import alert_rules, exit_codes, revenue_file
from pipelines.bounds import Bounds
from pipelines.prices import price_file
from pipelines.settings import INPUT_KEYS
from tests.docs.pages import ROOT, blocks, read
from transforms import attribution, outcomes, schemas
from transforms.prices import cards
from transforms.shapes import fields, instants, mapping, sources


def section(page: str, title: str) -> str:
    return re.split(r"^## ", read(page).split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def rows(page: str, title: str, head: str) -> list[list[str]]:
    """The rows of the table in that section whose head begins so."""
    (_, table), *_ = re.findall(rf"^(\| {re.escape(head)}[^\n]*\n)((?:\|.*\n)+)", section(page, title), re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def named(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def firsts(page: str, title: str, head: str) -> set[str]:
    return named([row[0] for row in rows(page, title, head)])


def test_a_mapping():
    assert firsts("docs/logs.md", "Any other log", "key of") == set(mapping._KEYS) - {"fields"}
    told = section("docs/logs.md", "Any other log")
    units = {*instants.INSTANT_KINDS, *sources._USD_DIGITS, *sources._PER_SECOND} - {"any"}
    assert [unit for unit in units if f"`{unit}`" not in told and f'"{unit}"' not in told] == []
    assert [key for key in sources._KEYS if f"{key} = " not in told] == []


def test_attribution_outcomes_and_revenue():
    assert named(rows("docs/logs.md", "Whom a call belongs to", "|")[0]) == set(attribution.TARGETS)
    assert firsts("docs/logs.md", "Outcomes", "column") <= {*outcomes._SUBJECTS, "outcome", *outcomes._KINDS}
    assert firsts("docs/logs.md", "Revenue", "column") == set(revenue_file.COLUMNS)


def test_settings_and_exit_codes():
    (text,) = [block.text for block in blocks("docs/logs.md", "toml") if "[input]" in block.text]
    assert set(tomllib.loads(text)["input"]) == set(INPUT_KEYS) - {"shape"}
    known = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert {int(row[0].strip("| ")) for row in rows("docs/logs.md", "Settings", "exit code")} == known | {0, 2}


def test_a_price_file():
    page = "docs/prices.md"
    assert firsts(page, "What you pay", "`kind`") == set(price_file.KINDS) - {"price"}
    classes = named([row[1] for row in rows(page, "What you pay", "`token_class` | |")])
    assert classes == {*schemas.RATE_CLASSES, "cache_write"}
    told = section(page, "What you pay")
    columns = {*price_file.PRICE_FILE_COLUMNS, *price_file.PRICE_FILE_OPTIONS}
    spelled_out = {"usd_per_minute", "usd_per_hour", "minutes", "hours"}  # "(minutes, hours)"
    assert {name for name in columns if f"`{name}`" not in told} <= spelled_out


def test_what_a_price_status_may_be():
    macros = (ROOT / "sql" / "macros.sql").read_text(encoding="utf-8")
    judged = macros.split("create or replace macro judged(")[1].split("end;")[0]
    known = {*re.findall(r"then '(\w+)'", judged), *cards.STATUSES}
    assert firsts("docs/prices.md", "How sure it is", "`price_status`") == known


def test_states_of_a_call():
    assert firsts("docs/words.md", "States", "status") == set(fields.STATUSES)


def test_bounds():
    known = {field.name for field in dataclasses.fields(Bounds)}
    assert firsts("docs/bad_input.md", "Bounds", "`[bounds]`") == known


def test_kinds_of_alerts():
    assert firsts("docs/nights.md", "Alerts", "kind") == set(alert_rules.KINDS)
