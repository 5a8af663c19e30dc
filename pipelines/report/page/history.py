"""What happened: spend by day, changes of prices and models, from one period to another, and how spread it is."""

from datetime import date, timedelta
from typing import Any

from pipelines.report.page import questions
from pipelines.report.page.asked import Asked
from pipelines.report.page.numbers import atto, day_number, percent, shown, summed, usd_of_pico
from pipelines.report.text import harmless, model_name

MOST_MODELS = 8  # more colours nobody tells apart
MOST_POINTS = 200  # of a curve: more than a line shows
CURVES = ("user", "feature", "model")
OTHERS = "all other models"
EFFECTS = (
    "users_usd", "actions_per_user_usd", "calls_per_action_usd", "tokens_per_call_usd", "model_mix_usd",
    "class_mix_usd", "price_usd", "new_usd", "gone_usd",
)  # fmt: skip
Row = dict[str, Any]


def spend(asked: Asked, first_day: date | None) -> dict[str, Any]:
    """USD by day and model, the dearest MOST_MODELS models by name; `undated`: of calls without a day."""
    found = asked.rows(questions.SPEND)
    priced = [row for row in found if row["cost_pico"] is not None]
    dated = [row for row in priced if row["day"] is not None]
    # a model of which no call has a price comes last, and is named all the same
    totals = summed((row["model"], row["cost_pico"] or 0) for row in found)
    dearest = sorted(totals, key=lambda name: (-totals[name], name))
    named = dearest if len(dearest) <= MOST_MODELS + 1 else dearest[:MOST_MODELS]
    by_model = summed(
        ((row["day"], row["model"] if row["model"] in named else OTHERS), row["cost_pico"]) for row in dated
    )
    days = summed((row["day"], row["cost_pico"]) for row in dated)
    undated = sum(row["cost_pico"] for row in priced if row["day"] is None)
    dearest_day = max(days, key=lambda day: (days[day], day), default=None)
    names = [*named, *([OTHERS] if len(named) < len(dearest) else [])]
    cells = [
        [day_number(day, first_day), names.index(name), shown(usd_of_pico(pico))]
        for (day, name), pico in sorted(by_model.items())
    ]
    return {
        "models": [harmless(name) for name in names],
        "cells": cells,
        "day_count": len(days),
        "dearest_day": dearest_day and [str(dearest_day), shown(usd_of_pico(days[dearest_day]))],
        "undated": shown(usd_of_pico(undated)) if undated else None,
        "unpriced_days": sorted({str(row["day"]) for row in found if row["unpriced_call_count"] and row["day"]}),
    }


def events(asked: Asked) -> dict[str, list[Row]]:
    """Swaps of a feature's main model, and changes of prices of models that are used, each on its day."""
    swaps = [
        {
            "day": str(row["swapped_on"]),
            "feature": harmless(row["feature"]),
            "from": model_name({"provider": row["from_provider"], "model": row["from_model"]}),
            "to": model_name({"provider": row["to_provider"], "model": row["to_model"]}),
            "actions": [row["from_action_count"], row["to_action_count"]],
            "tokens": _ratio(row, "tokens_ratio"),
            "cost": _ratio(row, "cost_ratio"),
        }
        for row in asked.rows(questions.SWAPS)
    ]
    prices = [
        {
            "day": str(row["day"]),
            "model": model_name(row),
            "token_class": row["token_class"],
            "above": row["context_above"] or None,
            "from": shown(row["usd_per_million_before"]),
            "to": shown(row["usd_per_million"]),
        }
        for row in asked.rows(questions.PRICE_CHANGES)
    ]
    return {"swaps": swaps, "prices": prices}


def _ratio(row: Row, name: str) -> list[float | None]:
    return [None if row[part] is None else round(row[part], 3) for part in (name, f"{name}_low", f"{name}_high")]


def bridge(asked: Asked, first_day: date | None, last_day: date | None) -> dict[str, Any] | None:
    """What changed the cost from one period to the next; None: the log has not two days."""
    if first_day is None or last_day is None or first_day == last_day:
        return None
    name, days = periods(first_day, last_day)
    found = asked.rows(questions.BRIDGE.format(**dict(zip(PERIOD, days, strict=True))))
    total = next((row for row in found if row["dimension"] == "all"), None)
    if total is None or total["change_usd"] is None:
        return None
    rows = [row for row in found if row["dimension"] != "all"]
    return {
        "name": name,
        "days": [str(day) for day in days],
        "total": _steps(total),
        "rows": [{"name": harmless(row["name"]), **_steps(row)} for row in rows[:MOST_POINTS]],
    }


PERIOD = ("from_start", "from_end", "to_start", "to_end")


def periods(first_day: date, last_day: date) -> tuple[str, tuple[date, date, date, date]]:
    """The last two months that the log spans; of a shorter log its two halves, without the day in the middle."""
    to_end = (last_day + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    from_end = to_end.replace(day=1) - timedelta(days=1)
    if from_end.replace(day=1) >= first_day:
        return "the last two whole months", (from_end.replace(day=1), from_end, to_end.replace(day=1), to_end)
    half = timedelta(days=((last_day - first_day).days + 1) // 2 - 1)
    middle = first_day + half + timedelta(days=1)
    name = "the two halves of the log" + ("" if middle == last_day - half else f", without {middle} in the middle")
    return name, (first_day, first_day + half, last_day - half, last_day)


def _steps(row: Row) -> dict[str, Any]:
    unpriced = row["from_unpriced_call_count"], row["to_unpriced_call_count"]
    names = ("from_cost_usd", "to_cost_usd", "change_usd", *EFFECTS)
    return {name.removesuffix("_usd"): atto(row[name]) for name in names} | {"unpriced": unpriced}


def tornado(asked: Asked) -> list[Row]:
    """What the cost of all rides on: each provider, model and token class."""
    found = asked.rows(questions.DRIVERS.format(dimension="all"))
    return [
        {
            "kind": row["kind"],
            "driver": harmless(row["driver"]),
            "cost": atto(row["cost_usd"]),
            "share": percent(row["exposure_share"]),
            "break_even": percent(row["break_even_change_share"]),
        }
        for row in found
    ]


def concentration(asked: Asked) -> list[Row]:
    """For each dimension, points of the curve of its cost and what it comes to."""
    told = []
    for dimension in CURVES:
        curve = asked.rows(questions.CURVE.format(dimension=dimension))
        index = asked.rows(questions.CONCENTRATION.format(dimension=dimension))[0]
        if not curve or not index["cost_usd"]:
            continue
        step = max(1, len(curve) // MOST_POINTS)
        points = [row for number, row in enumerate(curve) if number % step == 0 or number == len(curve) - 1]
        told.append(
            {
                "dimension": dimension,
                "names": index["name_count"],
                "points": [[round(row["name_share"], 4), round(row["cumulative_share"], 4)] for row in points],
                "top": [[row["rank"], harmless(row["name"]), shown(row["cost_usd"])] for row in curve[:10]],
                "top_1": percent(index["top_1_share"]),
                "top_10": percent(index["top_10_share"]),
                "top_percent": percent(index["top_1_percent_share"]),
                "gini": round(index["gini_index"], 3),
                "for_80_percent": index["names_for_80_percent_count"],
            }
        )
    return told
