"""[nightly], [gate], [alerts] and [retention]: what they come to, and what is refused by its name."""

from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.night_rules import SpendLimit, rules
from pipelines.settings import Settings


def load(tmp_path: Path, text: str) -> Settings:
    config = tmp_path / "tokenspread.toml"
    config.write_text(text, encoding="utf-8")
    return Settings.load(config)


def test_defaults():
    told = rules(Settings())
    assert (told.look_back_days, told.wait_seconds, told.keep_days) == (7, 1800, None)
    assert (told.gate.most_quarantined_share, told.gate.most_unpriced_share) == (Decimal("0.05"), Decimal("0.2"))
    assert (told.alerts.webhook, told.alerts.command, told.alerts.spend) == (None, (), ())
    assert told.alerts.has_anomalies and told.alerts.has_model_swaps


def test_everything_that_can_be_set(tmp_path):
    told = rules(
        load(
            tmp_path,
            """
[nightly]
look_back_days = 0
wait_minutes = 2
batch_megabytes = 1
[gate]
quarantined = 0.125
unpriced = "100%"
calls_of_usual = "0%"
[alerts]
webhook = "https://example.com/hook"
command = ["page", "--now"]
margin_scenario = "-30%"
anomalies = false
model_swaps = false
[[alerts.spend]]
by = "user"
name = "bob"
days = 7
limit_usd = 0.5
[[alerts.spend]]
limit_usd = 25
[retention]
days = 400
""",
        )
    )
    assert (told.look_back_days, told.wait_seconds, told.batch_bytes, told.keep_days) == (0, 120, 1 << 20, 400)
    assert (told.gate.most_quarantined_share, told.gate.least_calls_share) == (Decimal("0.125"), 0)
    assert told.alerts.spend == (
        SpendLimit("user", "bob", 7, Decimal("0.5")),
        SpendLimit("all", None, 1, Decimal(25)),
    )
    assert (told.alerts.webhook, told.alerts.command) == ("https://example.com/hook", ("page", "--now"))
    assert (told.alerts.margin_scenario, told.alerts.has_anomalies, told.alerts.has_model_swaps) == (
        "-30%", False, False,
    )  # fmt: skip


def test_the_webhook_of_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENSPREAD_ALERT_WEBHOOK", "https://example.com/secret")
    assert rules(load(tmp_path, '[alerts]\nwebhook = "https://example.com/hook"')).alerts.webhook.endswith("/secret")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[nightly]\nlookback_days = 3", r"\[nightly\] has no setting 'lookback_days'; known are look_back_days"),
        ("[nightly]\nlook_back_days = -1", r"\[nightly\] look_back_days cannot be -1"),
        ("[nightly]\nwait_minutes = true", r"\[nightly\] wait_minutes cannot be True"),
        ('[gate]\nquarantined = "many"', r"\[gate\] quarantined cannot be 'many'"),
        ("[gate]\nunpriced = 20", r"\[gate\] unpriced cannot be 20"),
        ("[gate]\nunpriced = nan", r"\[gate\] unpriced cannot be nan"),
        ('[alerts]\nwebhook = "hooks.example.com/s3cret"', r"\[alerts\] webhook .* is no address"),
        ('[alerts]\nwebhook = "https://[::1/s3cret"', r"\[alerts\] webhook .* is no address"),
        ('[alerts]\nwebhook = "https://hooks.example.com:s3cret/"', r"\[alerts\] webhook .* is no address"),
        ('[alerts]\nwebhook = "https:///s3cret"', r"\[alerts\] webhook .* is no address"),
        ('[alerts]\nwebhook = "https://hooks.example.com/s3cret é"', r"\[alerts\] webhook .* is no address"),
        ('[alerts]\nwebhook = "https://bot:s3cret@hooks.example.com/"', r"\[alerts\] webhook .* user or password"),
        ('[alerts]\ncommand = "page --now"', r"\[alerts\] command: give its words as a list"),
        ('[alerts]\nanomalies = "yes"', r"\[alerts\] anomalies cannot be 'yes'"),
        ("[alerts]\nmargin_scenario = 50", r"\[alerts\] margin_scenario cannot be 50"),
        ('[[alerts.spend]]\nby = "team"\nlimit_usd = 1', r"by cannot be 'team'; choose one of all, feature"),
        ('[[alerts.spend]]\nby = "user"', r"limit_usd is missing"),
        ("[[alerts.spend]]\nlimit_usd = 0", r"limit_usd cannot be 0"),
        ("[[alerts.spend]]\nlimit_usd = 1\ndays = 0", r"days cannot be 0"),
        ("[[alerts.spend]]\nlimit_usd = 1\nname = 7", r"name cannot be 7"),
        ("[alerts]\nspend = 25", r"\[\[alerts.spend\]\] cannot be 25"),
        ("[retention]\ndays = 0", r"\[retention\] days cannot be 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, named):
    with pytest.raises(UserError, match=f"tokenspread.toml: .*{named}") as refused:
        rules(load(tmp_path, text))
    assert "s3cret" not in str(refused.value)
