"""The corridor of alerts: what of a night somebody should be told of, said once, for as long as it holds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pipelines.night_rules import Rules
from pipelines.settings import Settings
from pipelines.summaries import Alert

KINDS = ("gate", "failure", "spend", "margin", "model_swap", "anomaly")


@dataclass(frozen=True)
class Told:
    new: list[Alert]  # those that did not hold before
    trouble: str | None  # why they could not be delivered; they are tried again with the next night


def of_night(settings: Settings, rules: Rules, day: date) -> list[Alert]:
    """What the published warehouse says of `day`: spend, margin, model_swap and anomaly."""
    return []


def of_gate(reasons: list[str], day: date) -> list[Alert]:
    return [Alert(f"gate {reason.split(':')[0]}", "gate", day, f"not published: {reason}") for reason in reasons]


def tell(settings: Settings, rules: Rules, alerts: list[Alert], judged: Collection[str]) -> Told:
    """Notes the alerts of the kinds that were judged, and delivers those that nobody was told of yet."""
    return Told([], None)
