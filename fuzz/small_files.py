"""The small files and words that a user writes: a mistake is told in one line, anything else is rows."""

import csv
import io
from pathlib import Path
from random import Random

import polars as pl

from fuzz import logs, mutations
from pipelines import revenue_file
from pipelines.errors import UserError
from pipelines.prices import price_file
from transforms import schemas
from transforms.scenarios import definitions

SAMPLES = Path(__file__).parents[1] / "sample_logs" / "support_desk"
PRICES = b"""kind,provider,model,token_class,usd_per_million,usd_per_unit,multiplier,valid_from,valid_to,\
weekdays,time_from,time_to,context_above,is_batch,above_usd_per_month,usd_per_month,usd,allocate_by,output_weight,hours,usd_per_hour,note
price,openai,gpt-5*,input,2.500001,,,2026-01-01,2026-07-01T12:00:00+02:00,Mon-Fri,09:30,17:00,200000,true,,,,,,,,
price,openai,gpt-5,request,,0.01,,2026-01-01,,,,,,,,,,,,,,x
multiplier,openai,gpt-5,,,,0.85,2026-01-01,,,,,,,,,,,,,,
volume_tier,openai,*,,,,0.9,2026-01-01,,,,,,,1000,,,,,,,
commitment,openai,*,,,,,2026-01-01,2027-01-01,,,,,,,500,,,,,,
time,own,*,,,,,2026-01-01,2026-02-01,,,,,,,,,tokens,3,720,1.99,
time,own,m,,,,,2026-01-01,2026-02-01,,,,,,,,12.5,busy,,,,
"""
PRICES_TOML = b"""# ours
[[prices]]
provider = "openai"
model = "gpt-5.2"
token_class = "input"
usd_per_million = 2.500001
valid_from = 2026-01-01
valid_to = 2026-07-01T12:00:00+02:00
is_batch = true
context_above = 200_000
weekdays = "Mon"
time_from = 09:30:00
[[prices]]
kind = "commitment"
model = "*"
usd_per_month = "1e3"
valid_from = "2026-01-01"
"""
REVENUE = b"""period_start,period_end,feature,user_id,customer_id,outcome,revenue_usd,revenue_per_success_usd
2026-11-01,2026-12-01,chat,,"a, b",,1000.000000000001,
,,,,,resolved,,0.99
"""
SCENARIOS = b"""-30%
+50% provider=anthropic
replace=gpt-5 with=gpt-6; -10% token_class=output
replace=gpt-5 with='gpt 6' input_ratio=1.25 tokens=same
usd_per_million=2.5 token_class=input model=gpt-5*
usd_per_unit=0.01 token_class=request
move_to=batch feature=chat from=2026-01-01 to=2026-01-31
caching=none; cache_share=70%; activity=-100% top_customers=1
without=contract provider=openai; without=free with=openai/gpt-5
"""
WORDS = (
    *(*definitions.VERBS, *definitions.SELECTORS, *definitions.RATIOS, *schemas.TOKEN_CLASSES),
    *(
        "time",
        "price",
        "multiplier",
        "%",
        "=",
        ";",
        '"',
        "'",
        ",",
        "\n",
        "\r",
        "\t",
        "\0",
        "*",
        "-100%",
        "1e400",
        "1e-30",
    ),
    *(
        "nan",
        "inf",
        "0x1",
        "\u0661",
        "\ufeff",
        "2026-02-30",
        "9999-12-31",
        "0001-01-01",
        "2026-01",
        "24:00",
        "23:59:60",
    ),
    *("Sun-Mon", "Mon,Mon", "[[prices]]", "[", "#"),
)


def mutate(data: bytes, random: Random) -> bytes:
    text = data.decode(errors="replace")
    for _ in range(random.choice((1, 1, 2, 4))):
        kind, lines = random.randrange(4), text.splitlines(keepends=True) or [""]
        index = random.randrange(len(lines))
        if kind == 0 and "," in lines[index]:
            cells = next(csv.reader([lines[index]]), [""])
            if cells:
                cells[random.randrange(len(cells))] = random.choice((*WORDS, *mutations.NUMBERS, *mutations.TEXTS))
            lines[index] = _row(cells)
        elif kind == 1:
            lines.insert(index, random.choice(lines))
        else:
            place = random.randrange(len(lines[index]) + 1)
            word = random.choice((*WORDS, *mutations.NUMBERS, *mutations.TEXTS))
            lines[index] = lines[index][:place] + word + lines[index][place + random.choice((0, 0, 1, 8)) :]
        text = "".join(lines)
    return text.encode(errors="replace")


def _row(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([cell.replace("\0", "") for cell in cells])
    return text.getvalue()


def price_seeds() -> list[bytes]:
    return [PRICES, PRICES_TOML, (SAMPLES / "prices.csv").read_bytes()]


def revenue_seeds() -> list[bytes]:
    return [REVENUE, b"".join((SAMPLES / "revenue.csv").read_bytes().splitlines(keepends=True)[:4])]


def scenario_seeds() -> list[bytes]:
    return [SCENARIOS]


def check_prices(data: bytes) -> None:
    path = _written(data)
    for read, schema in (
        (price_file.read_price_file, schemas.PRICE_RULES),
        (price_file.read_contract_terms, schemas.CONTRACT_TERMS),
    ):
        _check_rows(read, path, schema)


def check_revenue(data: bytes) -> None:
    _check_rows(revenue_file.read_revenue_file, _written(data), schemas.REVENUE)


def _check_rows(read, path: Path, schema: dict[str, pl.DataType]) -> None:
    try:
        rows = read(path)
    except UserError as error:
        logs.check_message(str(error))
        return
    assert rows.schema == schema
    for name in rows.columns:
        if name.endswith("_pico") and rows.height:
            assert all(abs(value) < 10**38 for value in rows[name].drop_nulls())  # what DECIMAL(38, 12) holds


def check_scenarios(data: bytes) -> None:
    for text in data.decode(errors="replace").split("\n"):
        try:
            (found,) = definitions.parse_all([text])
        except ValueError as error:
            logs.check_message(str(error))
            continue
        if text == " ".join(text.split()) and "=" in text:
            assert definitions.parse(found.name) == found, "its name is another scenario"
        assert set(definitions.parts(found)) == {"activity", "model", "tokens", "price"}


def _written(data: bytes) -> Path:
    path = logs.room()[0] / "file"
    path.write_bytes(data)
    return path
