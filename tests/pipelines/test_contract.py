"""From a price file with terms to what is published of them."""

from datetime import date
from decimal import Decimal

from pipelines import stages
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl

CONTRACT = """# the whole agreement
[[prices]]
provider = "lab"
model = "*"
token_class = "input"
usd_per_million = 2

[[prices]]
kind = "volume_tier"
provider = "lab"
model = "*"
above_usd_per_month = 1
multiplier = 0.9

[[prices]]
kind = "commitment"
provider = "lab"
model = "*"
usd_per_month = 4
note = "order 7"

[[prices]]
kind = "time"
provider = "gpu"
model = "*"
valid_from = 2026-11-01
valid_to = 2026-12-01
minutes = 30
usd_per_minute = 0.02
"""


def test_a_contract_is_kept_reckoned_and_allocated(tmp_path):
    call = {"called_at": "2026-11-05T12:00:00Z", "provider": "lab", "model": "m", "output_tokens": 0}
    calls = [
        call | {"input_tokens": 1_000_000, "feature": "triage"},
        call | {"input_tokens": 500_000, "feature": "reply"},
        call | {"input_tokens": 1, "provider": "gpu", "feature": "triage", "latency_seconds": 2.5},
        # the log spans the month
        call | {"input_tokens": 0, "called_at": "2026-11-01T00:00:00Z"},
        call | {"input_tokens": 0, "called_at": "2026-11-30T00:00:00Z"},
    ]
    (tmp_path / "log.jsonl").write_bytes(jsonl(calls))
    (tmp_path / "contract.toml").write_text(CONTRACT)
    settings = Settings(logs=(str(tmp_path / "log.jsonl"),), prices=tmp_path / "contract.toml", data=tmp_path / "data")
    stages.ingest(settings)
    (tmp_path / "contract.toml").unlink()
    stages.build(Settings(data=tmp_path / "data"))
    terms = stages.query(settings, "select * from contract_terms where scenario = 'actual' order by term_id")
    told = terms.select("kind", "line_number", "note", "period_start", "spend_usd", "adjustment_usd").rows()
    spent, month = Decimal(3), date(2026, 11, 1)
    assert told == [
        ("volume_tier", 8, None, month, spent, Decimal("-0.2")),
        ("commitment", 15, "order 7", month, spent, Decimal("1.2")),  # 4 less 3 - 0.2
        ("time", 22, None, month, Decimal(0), Decimal("0.6")),
    ]
    query = "select kind, feature, allocated_usd from allocated_costs where scenario = 'actual' order by all"
    assert stages.query(settings, query).rows() == [
        ("commitment", "reply", Decimal("0.4")),
        ("commitment", "triage", Decimal("0.8")),
        ("time", "triage", Decimal("0.6")),
        ("volume_tier", "reply", Decimal("-0.066666666667")),
        ("volume_tier", "triage", Decimal("-0.133333333333")),
    ]
    cost = stages.query(settings, "select sum(cost_usd) as cost_usd from calls")
    assert cost["cost_usd"].to_list() == [spent], "what is allocated is never part of a call's cost"


def test_terms_hold_for_what_an_alias_names(tmp_path):
    call = {"called_at": "2026-11-05T12:00:00Z", "output_tokens": 0}
    calls = [
        call | {"provider": "lab", "model": "mine", "input_tokens": 1_000_000},
        call | {"model": "dep-1", "input_tokens": 1, "latency_seconds": 2.5},
    ]
    (tmp_path / "log.jsonl").write_bytes(jsonl(calls))
    (tmp_path / "contract.toml").write_text(CONTRACT.replace('"*"\nabove', '"m"\nabove'))
    aliases = {"lab/mine": "lab/m", "dep-1": "gpu/llama"}
    prices, log = tmp_path / "contract.toml", str(tmp_path / "log.jsonl")
    settings = Settings(logs=(log,), prices=prices, data=tmp_path / "data", aliases=aliases)
    stages.ingest(settings)
    stages.build(settings)
    terms = stages.query(settings, "select * from contract_terms where scenario = 'actual' and kind <> 'commitment'")
    assert terms.sort("term_id").select("kind", "call_count", "unallocated_pico").rows() == [
        ("volume_tier", 1, 0),
        ("time", 1, 0),
    ]
