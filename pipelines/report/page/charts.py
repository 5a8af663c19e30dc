"""The page's charts as Vega-Lite, without their values: the page fills these in. Colours are variables of the style
sheet, so that a chart follows light, dark and print."""

from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
CONFIG = {
    "font": "system-ui, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)", "titleColor": "var(--soft)", "gridColor": "var(--line)",
        "domainColor": "var(--line)", "tickColor": "var(--line)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "text": {"color": "var(--ink)", "fontSize": 12},
    "rule": {"color": "var(--ink)"},
}  # fmt: skip
Spec = dict[str, Any]


def charts(spend: dict[str, Any]) -> dict[str, Spec]:
    """Specs by name; datasets: spend and marks, steps, drivers, curves, days."""
    return {
        "spend": _chart(_spend(spend["models"]), height=280),
        "bridge": _chart(_bridge(), height=300),
        "tornado": _chart(_tornado(), height=300),
        "concentration": _chart(_concentration(), height=300),
        "days": _chart(_days("utcyearmonthdate"), height=140),
        "months": _chart(_days("utcyearmonth"), height=140),
    }


def _chart(marks: Spec, height: int) -> Spec:
    fit = {"type": "fit-x", "contains": "padding"}
    return {"$schema": SCHEMA, "config": CONFIG, "width": 100, "height": height, "autosize": fit, **marks}


def _colors(names: list[str]) -> Spec:
    return {"domain": names, "range": [f"var(--c{number})" for number in range(1, len(names) + 1)]}


def _day(unit: str = "utcyearmonthdate") -> Spec:
    axis = {"title": None, "grid": False, "labelOverlap": True, "labelAngle": 0}
    return {"field": "day", "type": "temporal", "timeUnit": unit, "axis": axis, "scale": {"type": "utc"}}


def _usd(field: str, title: str = "USD") -> Spec:
    return {"field": field, "type": "quantitative", "axis": {"title": title, "tickCount": 5, "domain": False}}


def _tip(*fields: str) -> list[Spec]:
    return [{"field": name, "type": "nominal", "title": name} for name in fields]


def _spend(models: list[str]) -> Spec:
    bars = {
        "data": {"name": "spend"},
        "mark": {"type": "bar", "stroke": "var(--paper)", "strokeWidth": 0.5},
        "encoding": {
            "x": _day(),
            "y": {**_usd("usd"), "stack": "zero"},
            "color": {"field": "model", "type": "nominal", "scale": _colors(models), "legend": None},
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": _tip("date", "model", "USD"),
        },
    }
    x = {"x": _day()}
    tip = {"tooltip": _tip("date", "what")}
    rules = {
        "data": {"name": "marks"},
        "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.25},
        "encoding": x | tip,
    }
    signs = {
        "data": {"name": "marks"},
        "mark": {"type": "text", "baseline": "bottom", "dy": -3, "fontWeight": "bold"},
        "encoding": x | {"y": {"value": 0}, "text": {"field": "sign"}} | tip,
    }
    return {"layer": [bars, rules, signs]}


def _kinds() -> Spec:
    scale = {"domain": ["total", "up", "down"], "range": ["var(--soft)", "var(--up)", "var(--down)"]}
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}


def _label() -> Spec:
    axis = {"title": None, "domain": False, "ticks": False, "labelColor": "var(--ink)"}
    return {"field": "label", "type": "nominal", "sort": None, "axis": axis}


def _bridge() -> Spec:
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.66}},
        "encoding": {
            "y": _label(),
            "x": _usd("start"),
            "x2": {"field": "end"},
            "color": _kinds(),
            "tooltip": _tip("label", "USD"),
        },
    }
    texts = {
        "mark": {"type": "text", "align": "left", "dx": 6},
        "encoding": {
            "y": _label(), "x": {"field": "right", "type": "quantitative"}, "text": {"field": "USD"},
        },
    }  # fmt: skip
    return {"data": {"name": "steps"}, "layer": [bars, texts]}


def _tornado() -> Spec:
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.66}},
        "encoding": {
            "y": _label(),
            "x": _usd("usd", "change of the cost in USD"),
            "color": _kinds(),
            "tooltip": _tip("driver", "change", "USD"),
        },
    }
    zero = {"mark": {"type": "rule"}, "encoding": {"x": {"datum": 0}}}
    return {"data": {"name": "drivers"}, "layer": [bars, zero]}


def _concentration() -> Spec:
    dimensions = ["users", "features", "models"]
    percent = {"format": ".0%", "tickCount": 5, "domain": False}
    of_names = {"field": "names", "type": "quantitative", "axis": percent | {"title": "of names, the dearest first"}}
    of_cost = {"field": "cost", "type": "quantitative", "axis": percent | {"title": "of the cost"}}
    of_cost |= {"scale": {"domain": [0, 1]}}
    lines = {
        "mark": {"type": "line", "strokeWidth": 2.25, "interpolate": "linear"},
        "encoding": {
            "x": of_names,
            "y": of_cost,
            "color": {"field": "of", "type": "nominal", "scale": _colors(dimensions), "legend": None},
            "strokeDash": {
                "field": "of", "type": "nominal", "legend": None,
                "scale": {"domain": dimensions, "range": [[1, 0], [8, 4], [2, 3]]},
            },
        },
    }  # fmt: skip
    equal = {
        "data": {"values": [{"names": 0, "cost": 0}, {"names": 1, "cost": 1}]},
        "mark": {"type": "line", "color": "var(--line)", "strokeWidth": 1},
        "encoding": {"x": of_names, "y": of_cost},
    }
    return {"data": {"name": "curves"}, "layer": [equal, lines]}


def _days(unit: str) -> Spec:
    return {
        "data": {"name": "days"},
        "mark": {"type": "bar", "color": "var(--c1)"},
        "encoding": {"x": _day(unit), "y": _usd("usd"), "tooltip": _tip("date", "USD")},
    }
