"""How much of anything is taken. What is beyond a bound is quarantined (a line), refused (a file) or not published (a
build), with a reason that names the bound; `[bounds]` in tokenspread.toml sets each."""

import re
from dataclasses import dataclass, field, fields
from typing import Any

UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
_SIZE = re.compile(r"(\d{1,9}) ?([KMG]iB)")
_MOST = 1 << 62


class Unreadable(Exception):
    """Why a file is refused, in words for the user that cite nothing of it."""


class TooMuch(Unreadable):
    """It is beyond a bound: the message says which, and how to raise it."""


def _bound(default: int, least: int = 1, most: int = _MOST) -> Any:
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Bounds:
    # no call is longer; what is would have to be held in memory whole, several times. Less than is read at once is not
    # measured.
    line_bytes: int = _bound(8 << 20, least=1 << 18, most=1 << 30)
    # levels of objects and lists in a value that is read; parsers of JSON that call themselves for each end at 127
    nesting: int = _bound(100, most=120)
    name_bytes: int = _bound(1 << 10)  # of a model, feature, user and whatever else is told by a name or an id
    # A log of JSON packs to a thirtieth, one that says nearly the same in each line to a few hundredths, and gzip can
    # say nothing in less than a 1030th: only what was made to be a bomb, by zstd, is beyond.
    unpacked_ratio: int = _bound(1000)
    unpacked_bytes: int = _bound(256 << 30)  # of one file: what is not lines is copied whole before it is read
    columns: int = _bound(10_000)  # of a CSV or Parquet file
    files: int = _bound(1_000_000)
    # Distinct names in the ledger. The catalogue has rows for each with each model and day that they come with, and
    # `build_bytes` of memory are enough for as many of one kind.
    features: int = _bound(10_000)
    environments: int = _bound(10_000)
    users: int = _bound(100_000)
    customers: int = _bound(100_000)
    outcomes: int = _bound(10_000)
    price_refs: int = _bound(10_000)  # combinations of provider, model, service tier and region

    build_bytes: int = _bound(560 << 20, least=64 << 20)  # of memory; what does not fit goes to disk, as far as it can

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Bounds":
        """The defaults, and what `table` has in their place. Raises ValueError."""
        known = {each.name: each for each in fields(cls)}
        for name, told in table.items():
            if name not in known:
                raise ValueError(f"[bounds] has no setting {name!r}; known are {', '.join(known)}")
            least, most = known[name].metadata["least"], known[name].metadata["most"]
            number = _number(told, is_size=name.endswith("_bytes"))
            if number is None or not least <= number <= most:
                size = ', or a size such as "8 MiB"' if name.endswith("_bytes") else ""
                upper = f"from {least:,} to {most:,}" if most < _MOST else f"of {least:,} or more"
                raise ValueError(f"[bounds] {name} cannot be {told!r}; give a whole number {upper}{size}")
        return cls(**{name: _number(told, is_size=name.endswith("_bytes")) for name, told in table.items()})

    def of_lines(self) -> dict[str, int]:
        """Those on which it hangs what a line becomes, where they are not the defaults."""
        names = ("line_bytes", "nesting", "name_bytes")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(DEFAULT, name)}

    def told(self, name: str) -> str:
        """A bound as messages have it: `8 MiB ([bounds] line_bytes)`."""
        value = getattr(self, name)
        return f"{sized(value) if name.endswith('_bytes') else f'{value:,}'} ([bounds] {name})"

    def refusal(self, fact: str, name: str) -> TooMuch:
        """Of a file: `fact` ends where the bound's value follows."""
        return TooMuch(f"{fact} {self.told(name)}; raise it in tokenspread.toml if the file is a log")


DEFAULT = Bounds()


def sized(byte_count: int) -> str:
    """In the largest unit that leaves no fraction: 8 MiB, 1500 bytes."""
    unit = next((unit for unit, size in UNITS.items() if byte_count and byte_count % size == 0), None)
    return f"{byte_count // UNITS[unit]} {unit}" if unit else f"{byte_count} bytes"


def _number(told: Any, is_size: bool) -> int | None:
    if isinstance(told, str) and is_size and (match := _SIZE.fullmatch(told)):
        return int(match[1]) * UNITS[match[2]]
    return told if type(told) is int else None
