"""A ledger with all that an export can get wrong: hostile names, contract and list, parts, time, the unknown."""

import json
from pathlib import Path

from pipelines import stages
from pipelines.settings import Settings

HOSTILE = ('=cmd|"/c calc"!A1', 'a "quoted"\\\n, name\r', "+49 30", "-30%", "<script>", "{}", " ", "ü€😀", "@x", "\t=1")
USER = "user-of-nobody"
# gpt-5-mini is priced by the list, less 15 %, gemini by the list, lab's models by the contract alone; of claude-haiku
# only reasoning has a price of the contract's, which the list has as output
CONTRACT = """
[[prices]]
kind = "multiplier"
provider = "openai"
model = "*"
multiplier = 0.85

[[prices]]
provider = "lab"
model = "*"
token_class = "input"
usd_per_million = 2.000001

[[prices]]
provider = "lab"
model = "*"
token_class = "output"
usd_per_million = 8

[[prices]]
provider = "lab"
model = "*"
token_class = "reasoning"
usd_per_million = 9

[[prices]]
provider = "lab"
model = "*"
token_class = "web_search"
usd_per_unit = 0.01

[[prices]]
provider = "anthropic"
model = "*"
token_class = "reasoning"
usd_per_million = 3

[[prices]]
provider = "draw"
model = "*"
token_class = "compute_second"
usd_per_unit = 0.000225001

[[prices]]
kind = "volume_tier"
provider = "lab"
model = "*"
above_usd_per_month = 0.001
multiplier = 0.9

[[prices]]
kind = "time"
provider = "nobody"
model = "*"
valid_from = 2026-10-01
valid_to = 2026-11-01
usd = 3.5
"""


def records() -> list[dict]:
    def call(number: int, **told: object) -> dict:
        day = 1 + number % 28
        return {
            "call_id": f"c-{number}", "called_at": f"2026-10-{day:02}T{number % 24:02}:15:30.{number:06}Z",
            "provider": "lab", "model": f"m-{number % 3}", "feature": HOSTILE[number % len(HOSTILE)],
            "user_id": f"{USER}-{number % 7}", "customer_id": HOSTILE[number % 3], "action_id": f"a-{number // 2}",
            "input_tokens": 1000 + 7 * number, "output_tokens": 300 + number, **told,
        }  # fmt: skip

    found = [call(number) for number in range(60)]
    found += [call(60 + number, reasoning_tokens=111, web_search_count=2) for number in range(9)]
    found += [
        call(100 + number, provider="openai", model="gpt-5-mini", cache_read_tokens=400, service_tier="flex")
        for number in range(20)
    ]
    found += [call(130, provider="google", model="gemini-2.5-flash", input_audio_tokens=250, region="europe-west4")]
    found += [call(140, provider="draw", model="by-second", compute_seconds=1.234567), call(150, provider=None)]
    found += [call(155, provider="anthropic", model="claude-haiku-4-5-20251001", reasoning_tokens=100)]
    found += [call(160, provider="x", model="nobody-has-a-price"), call(161, output_tokens=None)]
    found += [call(162, called_at=None), call(163, status="refused"), call(164, feature=None, customer_id=None)]
    return found


def published(folder: Path) -> Settings:
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records()))
    (folder / "contract.toml").write_text(CONTRACT)
    settings = Settings(
        logs=(str(folder / "log.jsonl"),),
        prices=folder / "contract.toml",
        data=folder / "data",
        scenarios=("-30%", "+50%"),
    )
    stages.ingest(settings)
    stages.build(settings)
    return settings
