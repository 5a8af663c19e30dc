"""One frozen Settings from the command line, tokenspread.toml and the environment; nobody else reads these."""

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = Path("tokenspread.toml")
TABLES = ("input", "attribution", "log", "outcomes")
INPUT_KEYS = ("logs", "outcomes", "revenue", "prices", "scenarios", "data", "shape")


class UserError(Exception):
    """A mistake that the user can mend; the message names the place, the fact and the fix."""


class LedgerBusy(UserError):
    """Another run holds the ledger's lock."""


@dataclass(frozen=True)
class Settings:
    logs: tuple[str, ...] = ()
    outcomes: tuple[Path, ...] = ()
    revenue: Path | None = None
    prices: Path | None = None
    scenarios: tuple[str, ...] = ("-30%", "+50%")
    data: Path = Path("tokenspread_data")
    shape: str | None = None
    log_mappings: dict[str, Any] = field(default_factory=dict)
    outcome_mappings: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, config: Path | None = None, **arguments: Any) -> "Settings":
        """Settings from `config` (default: ./tokenspread.toml where it exists); arguments that are not None win.

        Paths inside the file are relative to the file. Raises UserError.
        """
        environment = {"data": os.environ.get("TOKENSPREAD_DATA")}
        if config is None:
            named = os.environ.get("TOKENSPREAD_CONFIG")
            config = Path(named) if named else (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
        settings = cls() if config is None else _from_file(config)
        for source in (environment, arguments):
            given = {name: value for name, value in source.items() if value is not None and value != ()}
            settings = replace(settings, **{name: _typed(name, value) for name, value in given.items()})
        return settings


def _from_file(config: Path) -> Settings:
    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{config}: cannot be read ({error.strerror}); check the path given to --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{config}: not valid TOML ({error}); mend that line") from None
    _refuse_unknown(config, "", document, TABLES)
    given = document.get("input", {})
    _refuse_unknown(config, "[input] ", given, INPUT_KEYS)
    base = config.parent
    located = {name: _located(name, value, base) for name, value in given.items()}
    return Settings(
        **{name: _typed(name, value) for name, value in located.items()},
        log_mappings=document.get("log", {}),
        outcome_mappings=document.get("outcomes", {}),
        attribution=document.get("attribution", {}),
    )


def _refuse_unknown(config: Path, where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise UserError(f"{config}: {where}has no setting {name!r}; known are {', '.join(known)}")


def _located(name: str, value: Any, base: Path) -> Any:
    if name in ("scenarios", "shape"):
        return value
    if isinstance(value, list):
        return [str(base / item) for item in value]
    return str(base / value)


def _typed(name: str, value: Any) -> Any:
    """The value as the field wants it: tuples for lists, Path for files and folders."""
    kind = {f.name: str(f.type) for f in fields(Settings)}[name]
    if kind.startswith("tuple"):
        items = (value,) if isinstance(value, str | Path) else tuple(value)
        return tuple(Path(item) if "Path" in kind else str(item) for item in items)
    return Path(value) if "Path" in kind else value
