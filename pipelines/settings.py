"""One frozen Settings from the command line, tokenspread.toml and the environment; nobody else reads these."""

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pipelines.bounds import Bounds
from pipelines.errors import UserError

DEFAULT_CONFIG = Path("tokenspread.toml")
TABLES = (
    "input", "attribution", "log", "outcomes", "aliases", "bill", "scenarios", "economics", "quarantine", "privacy",
    "bounds",
)  # fmt: skip
NIGHT_TABLES = ("nightly", "gate", "alerts", "retention")  # read by night_rules.py
INPUT_KEYS = ("logs", "outcomes", "revenue", "prices", "scenarios", "data", "shape")
LISTS = ("logs", "outcomes", "scenarios")  # of [input]: a text or a list of texts; the others are one text
MAPPING_TABLES = ("match", "calls_where", "outcomes_where", "fields")
BILL_TABLES = ("fields", "models", "classes")


@dataclass(frozen=True)
class Settings:
    logs: tuple[str, ...] = ()
    outcomes: tuple[Path, ...] = ()
    revenue: Path | None = None
    prices: Path | None = None
    scenarios: tuple[str, ...] = ("-30%", "+50%")
    scenario_tables: dict[str, Any] = field(default_factory=dict)  # what the scenarios of a name are
    data: Path = Path("tokenspread_data")
    shape: str | None = None
    log_mappings: dict[str, Any] = field(default_factory=dict)
    outcome_mappings: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)  # what a deployment is called -> the model that serves it
    prices_as_of: datetime | None = None  # price as was believed at this instant (UTC)
    bill_mappings: dict[str, Any] = field(default_factory=dict)
    target_margin_share: str | None = None  # share of the revenue that is to be left, such as 0.3
    # NIGHT_TABLES as they were given; a webhook is a secret
    night_tables: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    keep_lines: bool = False  # keep what quarantined lines say
    hash_users: bool = False  # users are kept under hashes of their names, see users.py
    user_key: str | None = field(default=None, repr=False)  # of these hashes: a secret
    bounds: Bounds = Bounds()
    wait_seconds: float = 0  # for another run that is writing
    config: Path | None = None  # where they were read from

    @classmethod
    def load(cls, config: Path | None = None, **arguments: Any) -> "Settings":
        """Settings from `config` (default: ./tokenspread.toml where it exists); arguments that are not None win.

        Paths inside the file are relative to the file. Raises UserError.
        """
        environment = {"data": os.environ.get("TOKENSPREAD_DATA") or None}
        if config is None:
            named = os.environ.get("TOKENSPREAD_CONFIG")
            config = Path(named) if named else (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
        settings = cls() if config is None else _from_file(config)
        for source in (environment, arguments):
            given = {name: value for name, value in source.items() if value is not None and value != ()}
            settings = replace(settings, **{name: _typed(name, value) for name, value in given.items()})
        if webhook := os.environ.get("TOKENSPREAD_ALERT_WEBHOOK"):  # a secret, which no file needs to hold
            alerts = settings.night_tables.get("alerts", {}) | {"webhook": webhook}
            settings = replace(settings, night_tables=settings.night_tables | {"alerts": alerts})
        return replace(settings, config=config, user_key=os.environ.get("TOKENSPREAD_USER_KEY"))

    def reading_digest(self, kind: str, shape: str) -> str:
        """Stands for what these settings make of the lines of a log (`kind` calls) or outcome file of `shape`: under
        another digest the same lines may yield other rows."""
        told: list[Any] = [shape, self.outcome_mappings.get(shape)]
        if kind == "calls":
            rules = {name: rule for name, rule in self.attribution.items() if _is_for(shape, name, rule)}
            told = [self.shape or shape, self.log_mappings.get(shape), rules]
        told += [of_lines] if (of_lines := self.bounds.of_lines()) else []
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _is_for(shape: str, name: str, rule: Any) -> bool:
    """Whether an entry of [attribution] can say something of `shape`: tables of rules are each for one shape."""
    is_table_of_rules = isinstance(rule, dict) and not rule.keys() & {"path", "tags", "const"}
    return name == shape or not is_table_of_rules


def document_of(config: Path, known: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The tables of a TOML file, which may be no others than `known`. Raises UserError."""
    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{config}: cannot be read ({error.strerror}); check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{config}: not valid TOML ({error}); mend that line") from None
    _refuse_unknown(config, "", document, known)
    for name, table in document.items():
        if name in NIGHT_TABLES and not isinstance(table, dict):  # which may be a secret
            raise UserError(f"{config}: [{name}] is a table of settings; write it as one")
        _refuse_other_than(dict, config, f"[{name}]", table)
    return document


def _from_file(config: Path) -> Settings:
    document = document_of(config, TABLES + NIGHT_TABLES)
    given = document.get("input", {})
    _refuse_unknown(config, "[input] ", given, INPUT_KEYS)
    _refuse_wrong_types(config, document)
    base = config.parent
    located = {name: _located(name, value, base) for name, value in given.items()}
    return Settings(
        **{name: _typed(name, value) for name, value in located.items()},
        log_mappings=document.get("log", {}),
        outcome_mappings=document.get("outcomes", {}),
        attribution=document.get("attribution", {}),
        aliases=document.get("aliases", {}),
        bill_mappings=document.get("bill", {}),
        scenario_tables=document.get("scenarios", {}),
        target_margin_share=_target_margin(config, document.get("economics", {})),
        keep_lines=_switch(config, document, "quarantine", "keep_lines"),
        hash_users=_switch(config, document, "privacy", "hash_users"),
        bounds=_bounds(config, document.get("bounds", {})),
        night_tables={name: document[name] for name in NIGHT_TABLES if name in document},
    )


def _target_margin(config: Path, economics: dict[str, Any]) -> str | None:
    """ "30%" or 0.3 as the decimal text of a share."""
    _refuse_unknown(config, "[economics] ", economics, ("target_margin",))
    told = economics.get("target_margin")
    if told is None:
        return None
    text = str(told).strip()
    try:
        share = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if 0 <= share < 1 and share == round(share, 6):
            return f"{round(share, 6).normalize():f}"
    except InvalidOperation:
        pass
    fix = 'give a share of the revenue from 0% to below 100%, such as "30%", in at most six decimals (0.123456)'
    raise UserError(f"{config}: [economics] target_margin cannot be {told!r}; {fix}")


def _switch(config: Path, document: dict[str, Any], table: str, name: str) -> bool:
    """The one setting of a table, which is not cited: a key may stand there by mistake."""
    settings = document.get(table, {})
    _refuse_unknown(config, f"[{table}] ", settings, (name,))
    told = settings.get(name, False)
    if not isinstance(told, bool):
        raise UserError(f"{config}: [{table}] {name} is neither on nor off; give true or false")
    return told


def _bounds(config: Path, table: dict[str, Any]) -> Bounds:
    try:
        return Bounds.of(table)
    except ValueError as error:
        raise UserError(f"{config}: {error}") from None


def _refuse_unknown(config: Path, where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise UserError(f"{config}: {where}has no setting {name!r}; known are {', '.join(known)}")


def _refuse_wrong_types(config: Path, document: dict[str, Any]) -> None:
    for name, value in document.get("input", {}).items():
        values = value if isinstance(value, list) and name in LISTS else [value]
        for item in values:
            _refuse_other_than(str, config, f"[input] {name}", item)
    for name, target in document.get("aliases", {}).items():
        _refuse_other_than(str, config, f"[aliases] {name}", target)
    for kind in ("log", "outcomes"):
        for name, mapping in document.get(kind, {}).items():
            where = f"[{kind}.{name}]"
            _refuse_other_than(dict, config, where, mapping)
            for key in MAPPING_TABLES:
                _refuse_other_than(dict, config, f"{where} {key}", mapping.get(key, {}))
            _refuse_other_than(str, config, f"{where} open", mapping.get("open", ""))
            for column, source in mapping.get("fields", {}).items():
                for key in ("unit", "format") if isinstance(source, dict) else ():
                    _refuse_other_than(str, config, f"{where} fields {column} {key}", source.get(key, ""))
    for name, mapping in document.get("bill", {}).items():
        _refuse_wrong_bill(config, f"[bill.{name}]", mapping)


def _refuse_wrong_bill(config: Path, where: str, mapping: Any) -> None:
    _refuse_other_than(dict, config, where, mapping)
    for key in BILL_TABLES:
        _refuse_other_than(dict, config, f"{where} {key}", mapping.get(key, {}))
    for key in ("models", "classes"):
        for word, ours in mapping.get(key, {}).items():
            _refuse_other_than(str, config, f"{where} {key} {word!r}", ours)
    for column, source in mapping.get("fields", {}).items():
        named = source if isinstance(source, dict) else {"column": source}
        for key in ("column", "const", "format"):
            _refuse_other_than(str, config, f"{where} fields {column}", named.get(key, ""))


def _refuse_other_than(kind: type, config: Path, where: str, value: Any) -> None:
    if not isinstance(value, kind):
        fix = "give a text in quotes" if kind is str else "it is a table of settings"
        raise UserError(f"{config}: {where} cannot be {value!r}; {fix}")


def _located(name: str, value: Any, base: Path) -> Any:
    if isinstance(value, list):
        return [_located(name, item, base) for item in value]
    if name == "shape" or (name == "scenarios" and not value.endswith(".toml")):
        return value
    return str(base / os.path.expanduser(value))


def _typed(name: str, value: Any) -> Any:
    """The value as the field wants it: tuples for lists, Path for files and folders."""
    kind = {f.name: str(f.type) for f in fields(Settings)}[name]
    if isinstance(value, datetime):
        return value
    if kind.startswith("tuple"):
        items = (value,) if isinstance(value, str | Path) else tuple(value)
        return tuple(Path(item) if "Path" in kind else str(item) for item in items)
    return Path(value) if "Path" in kind else value


def date_of(text: str, option: str) -> date:
    """A day as an option names it. UserError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text}: no date; write 2026-01-31") from None


def instant_of(text: str, option: str) -> datetime:
    """The instant of a date (its end, so that what was learned on that day counts) or of a time; UTC. UserError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text}: no date; write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    if len(text) <= len("2026-01-31"):
        at = datetime.combine(at, time.max)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
