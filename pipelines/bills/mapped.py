"""Any other table, mapped under [bill.NAME] in tokenspread.toml:

    [bill.ours.fields]
    day = "Date"                       # or { column = "Date", format = "%d.%m.%Y" }; or period_start and period_end
    provider = { const = "openai" }    # a column, or a constant
    model = "Model"
    token_class = "Kind"               # left out: the bill does not split
    billed_usd = "Amount"
    quantity = { column = "MTok", unit = 1000000 }
    currency = "Currency"              # left out: USD

    [bill.ours.models]                 # their words -> ours
    "GPT 5.2" = "gpt-5.2-2025-12-11"

    [bill.ours.classes]
    prompt = "input"

A mapping reads every table that has all of its columns; it goes before the formats that are known.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pipelines.bills.files import Row
from pipelines.bills.sheet import Period, Sheet, instant_of, period_of
from pipelines.errors import UserError
from transforms.schemas import TOKEN_CLASSES
from transforms.shapes.providers import provider_id_of

FIELDS = (
    "day", "period_start", "period_end", "provider", "model", "token_class", "billed_usd", "quantity", "currency",
    "description",
)  # fmt: skip
KEYS = ("fields", "models", "classes")
CLASSES = (*TOKEN_CLASSES, "cache_write")


def check(mappings: Mapping[str, Any]) -> None:
    """Raises UserError for a mapping that can read no bill."""
    for name, mapping in mappings.items():
        where, fields = f"[bill.{name}]", mapping.get("fields", {})
        for key in mapping:
            if key not in KEYS:
                raise UserError(f"{where} has no setting {key!r}; known are {', '.join(KEYS)}")
        for field, source in fields.items():
            if field not in FIELDS:
                raise UserError(f"{where} fields has no field {field!r}; known are {', '.join(FIELDS)}")
            if isinstance(source, dict) and not {"const", "column"} & source.keys():
                raise UserError(f"{where} fields {field} names neither a column nor a const; give one of them")
            unit = source.get("unit", 1) if isinstance(source, dict) else 1
            if type(unit) is not int or unit < 1:
                raise UserError(f"{where} fields {field} unit cannot be {unit!r}; write a whole number such as 1000")
        if "day" not in fields and not {"period_start", "period_end"} <= fields.keys():
            raise UserError(f"{where} fields needs day, or period_start and period_end")
        if "provider" not in fields:
            raise UserError(f'{where} fields needs provider; write {{ const = "openai" }} where it is always the same')
        if not {"billed_usd", "quantity"} & fields.keys():
            raise UserError(f"{where} fields needs billed_usd, or quantity for a bill of usage only")
        for word, ours in mapping.get("classes", {}).items():
            if ours not in CLASSES:
                raise UserError(f"{where} classes {word!r} cannot be {ours!r}; known are {', '.join(CLASSES)}")


def columns_of(mapping: Mapping[str, Any]) -> list[str]:
    sources = mapping["fields"].values()
    named = [source.get("column") if isinstance(source, dict) else source for source in sources]
    return [name for name in named if name is not None]


def almost(columns: Collection[str], mappings: Mapping[str, Any]) -> str | None:
    """What keeps the mapping that fits best from reading a table: fewer of its columns are missing than are there."""
    best = None
    for name, mapping in mappings.items():
        wanted = list(dict.fromkeys(columns_of(mapping)))
        missing = [column for column in wanted if column not in columns]
        if 2 * len(missing) < len(wanted) and (best is None or len(missing) < len(best[1])):
            best = name, missing
    if best is None:
        return None
    name, missing = best
    named = ", ".join(map(repr, missing))
    return f"[bill.{name}] would read it, but there is no column {named}; name the one that it has in the mapping"


def read(sheet: Sheet, rows: list[Row], name: str, mapping: Mapping[str, Any]) -> None:
    for number, cells in rows:
        with sheet.at(number):
            _take(sheet, number, cells, name, mapping)


def _take(sheet: Sheet, number: int, cells: dict[str, Any], name: str, mapping: Mapping[str, Any]) -> None:
    fields = mapping["fields"]
    told = {field: _value(cells, source) for field, source in fields.items()}
    billed, quantity = told.get("billed_usd"), told.get("quantity")
    if billed is None and quantity is None:
        sheet.other("no amount")
        return
    currency = told.get("currency") if "currency" in fields else "USD"
    money = None if billed is None else sheet.usd(billed, currency)
    provider = provider_id_of(None if told["provider"] is None else str(told["provider"]))
    if provider is None:
        raise ValueError("the provider is empty; fill it in, or map a const")
    model, word = (None if told.get(field) is None else str(told[field]) for field in ("model", "token_class"))
    token_class = mapping.get("classes", {}).get(word, word)
    if word is not None and token_class not in CLASSES:
        raise ValueError(f"token class {word!r} is none of ours; say what it is under [bill.{name}.classes]")
    source = fields.get("quantity")
    unit = source.get("unit", 1) if isinstance(source, dict) else 1
    sheet.charge(
        number, provider, _period(told, fields), model=mapping.get("models", {}).get(model, model),
        token_class=token_class, billed_pico=money, quantity=sheet.count(quantity, unit),
        description=None if told.get("description") is None else str(told["description"]),
    )  # fmt: skip


def _value(cells: dict[str, Any], source: Any) -> Any:
    if isinstance(source, dict):
        return source["const"] if "const" in source else cells.get(source["column"])
    return cells.get(source)


def _period(told: dict[str, Any], fields: Mapping[str, Any]) -> Period:
    if "day" in fields:
        return period_of(_instant(told["day"], fields["day"], "day"), None)
    start, end = (_instant(told[name], fields[name], name) for name in ("period_start", "period_end"))
    if end <= start:
        raise ValueError(f"period_end {end.date()} is not after period_start {start.date()}; it is exclusive")
    return period_of(start, end)


def _instant(value: Any, source: Any, name: str) -> datetime:
    form = source.get("format") if isinstance(source, dict) else None
    if form is None or not isinstance(value, str):
        return instant_of(value, name)
    try:
        return instant_of(datetime.strptime(value, form), name)
    except ValueError:
        raise ValueError(f"{name} {value!r} is not written as {form!r}; mend the format in the mapping") from None
