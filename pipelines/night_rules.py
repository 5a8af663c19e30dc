"""What a night is to do and to look out for: [nightly], [gate], [alerts] and [retention] of tokenspread.toml."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from pipelines.errors import UserError
from pipelines.settings import Settings
from pipelines.users import Users

DIMENSIONS = ("all", "feature", "user", "customer", "model")


@dataclass(frozen=True)
class Gate:
    """Above (or below) which shares a night is not published."""

    most_quarantined_share: Decimal  # of the lines that are new since the last publication
    most_unpriced_share: Decimal  # of the calls that are
    least_calls_share: Decimal  # of the calls that the night's day has, of those that its weekday usually has


@dataclass(frozen=True)
class SpendLimit:
    """At most `limit_usd` in any `days` days, for each name of a dimension or for one."""

    by: str  # of DIMENSIONS
    name: str | None
    days: int
    limit_usd: Decimal


@dataclass(frozen=True)
class Alerts:
    """Whom to tell, and of what. Neither webhook nor command: alerts are only written down."""

    webhook: str | None = field(repr=False)  # a secret: never shown
    command: tuple[str, ...]  # gets the alerts as JSON on its standard input
    spend: tuple[SpendLimit, ...]
    margin_scenario: str  # margins below the target in it are told
    has_anomalies: bool
    has_model_swaps: bool


@dataclass(frozen=True)
class Rules:
    look_back_days: int  # how many days before the night's own are looked for in the paths that name a {day}
    wait_seconds: float  # for another run that is writing
    batch_bytes: int
    gate: Gate
    alerts: Alerts
    keep_days: int | None  # calls of days before are pruned; None: none is


def rules(settings: Settings) -> Rules:
    """The rules that the settings give, with defaults for the rest. Raises UserError."""
    with _naming_the_file(settings):
        return _rules(settings)


def alerts(settings: Settings) -> Alerts:
    """Their part that says whom to tell, also where the others are wrong. Raises UserError."""
    with _naming_the_file(settings):
        return _alerts(settings)


@contextmanager
def _naming_the_file(settings: Settings) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{settings.config}: {error}") from None


def _rules(settings: Settings) -> Rules:
    tables = settings.night_tables
    nightly = _known("nightly", tables, {"look_back_days": 7, "wait_minutes": 30, "batch_megabytes": 256})
    gate = _known("gate", tables, {"quarantined": "5%", "unpriced": "20%", "calls_of_usual": "30%"})
    retention = _known("retention", tables, {"days": None})
    keep_days = retention["days"]
    return Rules(
        look_back_days=_whole("[nightly] look_back_days", nightly["look_back_days"], 0),
        wait_seconds=60 * _whole("[nightly] wait_minutes", nightly["wait_minutes"], 0),
        batch_bytes=_whole("[nightly] batch_megabytes", nightly["batch_megabytes"], 1) << 20,
        gate=Gate(
            most_quarantined_share=_share("[gate] quarantined", gate["quarantined"]),
            most_unpriced_share=_share("[gate] unpriced", gate["unpriced"]),
            least_calls_share=_share("[gate] calls_of_usual", gate["calls_of_usual"]),
        ),
        alerts=_alerts(settings),
        keep_days=None if keep_days is None else _whole("[retention] days", keep_days, 1),
    )


def _alerts(settings: Settings) -> Alerts:
    defaults = {
        "webhook": None, "command": [], "spend": [], "margin_scenario": "+50%", "anomalies": True, "model_swaps": True,
    }  # fmt: skip
    told, users = _known("alerts", settings.night_tables, defaults), Users(settings)
    command = told["command"] if isinstance(told["command"], list) else None
    if command is None or not all(isinstance(word, str) for word in command):
        raise UserError('[alerts] command: give its words as a list, such as ["notify-send", "tokenspread"]')
    for name in ("anomalies", "model_swaps"):
        if not isinstance(told[name], bool):
            raise UserError(f"[alerts] {name} cannot be {told[name]!r}; give true or false")
    if not isinstance(told["margin_scenario"], str):
        raise UserError(f"[alerts] margin_scenario cannot be {told['margin_scenario']!r}; name a scenario, in quotes")
    spend = told["spend"] if isinstance(told["spend"], list) else [told["spend"]]
    return Alerts(
        webhook=_webhook(told["webhook"]),
        command=tuple(command),
        spend=tuple(_spend_limit(one, users) for one in spend),
        margin_scenario=told["margin_scenario"],
        has_anomalies=told["anomalies"],
        has_model_swaps=told["model_swaps"],
    )


def _webhook(url: Any) -> str | None:
    if url is None:
        return None
    place = "[alerts] webhook (or TOKENSPREAD_ALERT_WEBHOOK)"
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or not _is_address(url):
        raise UserError(
            f"{place} is no address; give one that starts with https:// or http://, in ASCII without spaces"
        )
    if "@" in urlsplit(url).netloc:  # urllib would ask for a host of that name, and so tell whoever answers for names
        raise UserError(
            f"{place} has a user or password before its host; put the secret into its path, or set a command"
        )
    return url


def _is_address(url: str) -> bool:
    try:
        told = urlsplit(url)
        return bool(told.hostname) and told.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def _spend_limit(told: Any, users: Users) -> SpendLimit:
    place = "[[alerts.spend]]"
    if not isinstance(told, dict):
        raise UserError(f"{place} cannot be {told!r}; it is a table with by, days and limit_usd")
    table = _known("alerts.spend", {"alerts.spend": told}, {"by": "all", "name": None, "days": 1, "limit_usd": None})
    if table["by"] not in DIMENSIONS:
        raise UserError(f"{place} by cannot be {table['by']!r}; choose one of {', '.join(DIMENSIONS)}")
    if table["name"] is not None and not isinstance(table["name"], str):
        raise UserError(f"{place} name cannot be {table['name']!r}; give a text in quotes")
    if table["limit_usd"] is None:
        raise UserError(f"{place}: limit_usd is missing; give USD above 0, such as 25 or 0.50")
    if table["by"] == "all" and table["name"] is not None:
        raise UserError(f'{place} name {table["name"]!r}: all has no names; say what it is of, such as by = "feature"')
    limit = _decimal(table["limit_usd"])
    if limit is None or limit <= 0:
        raise UserError(f"{place} limit_usd cannot be {table['limit_usd']!r}; give USD above 0, such as 25 or 0.50")
    name = table["name"]
    if table["by"] == "user" and name:
        with suppress(UserError):  # without the key the night fails, and this is what tells whom to tell
            name = users.called(name)
    return SpendLimit(table["by"], name, _whole(f"{place} days", table["days"], 1), limit)


def _known(name: str, tables: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> dict[str, Any]:
    told = tables.get(name, {})
    for key in told:
        if key not in defaults:
            raise UserError(f"[{name}] has no setting {key!r}; known are {', '.join(defaults)}")
    return {**defaults, **told}


def _whole(place: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 100_000:
        raise UserError(f"{place} cannot be {value!r}; give a whole number from {least} to 100000")
    return value


def _share(place: str, value: Any) -> Decimal:
    """ "5%" or 0.05 as 0.05."""
    text = str(value).strip()
    share = _decimal(text.removesuffix("%"))
    share = share / 100 if share is not None and text.endswith("%") else share
    if share is None or not 0 <= share <= 1:
        raise UserError(f'{place} cannot be {value!r}; give a share from 0% to 100%, such as "5%"')
    return share


def _decimal(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
