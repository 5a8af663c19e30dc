"""Lines of a price file that are not per unit: volume tiers, commitments and bills for time."""

from datetime import date
from fractions import Fraction

from pipelines.prices import cells as cell
from pipelines.prices.rules import check_period, provider_of
from transforms.schemas import CONTRACT_TERMS

TIMES = {"seconds": "usd_per_second", "minutes": "usd_per_minute", "hours": "usd_per_hour"}
BILL_COLUMNS = ("usd", *TIMES, *TIMES.values())
BILL_FIX = "give usd, or one of seconds, minutes and hours with its usd_per_second, usd_per_minute or usd_per_hour"
COLUMNS = {
    "volume_tier": ("above_usd_per_month", "above_tokens_per_month", "multiplier"),
    "commitment": ("usd_per_month",),
    "time": (*BILL_COLUMNS, "allocate_by", "output_weight"),
}


def term_row(kind: str, cells: dict[str, str | None]) -> dict:
    """The CONTRACT_TERMS row of one line, without its term_id."""
    bound = cell.day if kind == "time" else cell.month
    row = dict.fromkeys(CONTRACT_TERMS) | {
        **{name: cells.get(name) for name in ("model", "source_url", "note")},
        "kind": kind,
        "provider": provider_of(cells),
        "valid_from": bound("valid_from", cells.get("valid_from")),
        "valid_to": bound("valid_to", cells.get("valid_to")),
    }
    check_period(cells, row)
    return row | {"volume_tier": _tier, "commitment": _commitment, "time": _bill}[kind](cells)


def _tier(cells: dict[str, str | None]) -> dict:
    usd, tokens = cells.get("above_usd_per_month"), cells.get("above_tokens_per_month")
    if bool(usd) == bool(tokens):
        fact = "are both given" if usd else "are both empty"
        raise ValueError(f"above_usd_per_month and above_tokens_per_month {fact}; give one, 0 for the first tier")
    bounds = {
        "above_pico": cell.amount_pico("above_usd_per_month", usd) if usd else None,
        "above_tokens": cell.whole_number("above_tokens_per_month", tokens, "tokens") if tokens else None,
    }
    return bounds | {"multiplier_nano": cell.multiplier_nano(cells.get("multiplier"))}


def _commitment(cells: dict[str, str | None]) -> dict:
    return {"amount_pico": cell.amount_pico("usd_per_month", cells.get("usd_per_month"))}


def _bill(cells: dict[str, str | None]) -> dict:
    for name in ("valid_from", "valid_to"):
        if not cells.get(name):
            raise ValueError(f"{name} is empty; a bill of time needs the period that it is for")
    allocate_by = (cells.get("allocate_by") or "busy").lower()
    if allocate_by not in ("busy", "tokens"):
        raise ValueError(f"allocate_by {cells['allocate_by']!r} is unknown; use busy (the default) or tokens")
    weight = cells.get("output_weight")
    if (allocate_by == "tokens") != bool(weight):
        fact = "is empty" if allocate_by == "tokens" else "is given for a bill that is not allocated by tokens"
        fix = "with allocate_by tokens say how many input tokens an output token weighs"
        raise ValueError(f"output_weight {fact}; {fix}")
    if weight and not 0 < cell.whole_number("output_weight", weight, "input tokens") <= 1000:
        raise ValueError(f"output_weight {weight} is not between 1 and 1000; write it as 4")
    return {
        "amount_pico": _billed(cells),
        "allocate_by": allocate_by,
        "output_weight": int(weight) if weight else None,
    }


def _billed(cells: dict[str, str | None]) -> int:
    """Pico-USD of the bill: in total, or so many seconds, minutes or hours at their price."""
    given = {name for name in BILL_COLUMNS if cells.get(name)}
    if given == {"usd"}:
        return cell.amount_pico("usd", cells["usd"])
    for time, price in TIMES.items():
        if given == {time, price}:
            usd = Fraction(cell.number(time, cells[time])) * Fraction(cell.number(price, cells[price]))
            return cell.whole_pico(f"{time} x {price}", usd)
    names = " and ".join(name for name in BILL_COLUMNS if name in given)
    raise ValueError(f"{f'{names} do not make one bill' if names else 'the bill has no amount'}; {BILL_FIX}")


def clash(row: dict, other: dict) -> str | None:
    """What is wrong with two lines of terms together, and the fix."""
    line = other["line_number"]
    if any(_folded(row[name]) != _folded(other[name]) for name in ("kind", "provider", "model")):
        return None
    if row["kind"] == "time":
        is_same = all(row[name] == other[name] for name in ("valid_from", "valid_to", "note"))
        return f"a bill for the same time as line {line}; keep one, or tell them apart by a note" if is_same else None
    if row["kind"] == "volume_tier" and (row["above_pico"] is None) != (other["above_pico"] is None):
        return f"line {line} has the other unit for the same provider and model; count all tiers in USD, or in tokens"
    if not _overlap(row, other):
        return None
    if row["kind"] == "commitment":
        return f"line {line} commits the same provider and model in the same months; give their sum in one line"
    is_same = all(row[name] == other[name] for name in ("above_pico", "above_tokens"))
    return f"the same tier in the same months as line {line}; keep one of the two lines" if is_same else None


def numbered(rows: list[dict]) -> list[dict]:
    """`rows` with their term_id, from 1: the tiers of a provider and model share one."""
    ids = {}
    for row in rows:
        own = () if row["kind"] == "volume_tier" else (row["line_number"],)
        ids.setdefault((row["kind"], _folded(row["provider"]), _folded(row["model"]), *own), len(ids) + 1)
        row["term_id"] = ids[(row["kind"], _folded(row["provider"]), _folded(row["model"]), *own)]
    return rows


def _folded(text: str | None) -> str | None:
    return text and text.lower()


def _overlap(row: dict, other: dict) -> bool:
    def precedes(one: dict, two: dict) -> bool:
        return (one["valid_to"] or date.max) <= (two["valid_from"] or date.min)

    return not precedes(row, other) and not precedes(other, row)
