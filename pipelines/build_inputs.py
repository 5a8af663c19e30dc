"""What a build needs beside the ledger, kept in the manifest: the user's small files, the price book's history."""

import importlib.metadata
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import xxhash

from pipelines import prices
from pipelines.ledger import Ledger
from pipelines.log_files import shown
from pipelines.manifest import now
from pipelines.settings import Settings, UserError
from pipelines.warehouse import SQL
from transforms import schemas

PRICE_PACKAGES = ("genai-prices", "model-prices")
# price rows as JSON holds them: instants as microseconds
_STORED_PRICES = {n: pl.Int64 if t == schemas.INSTANT else t for n, t in schemas.PRICE_BOOK.items()}


def keep_inputs(store: Ledger, files: dict[str, Path | None]) -> None:
    """Keeps the bytes of small files that later builds need too; a file that is not named stays as it was kept.

    What it said before is kept as well: prices may be asked for as of a day when it held.
    """
    for kind, path in files.items():
        if path:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
            keep_input(store, kind, path, content)


def keep_input(store: Ledger, kind: str, path: Path, content: bytes) -> None:
    """Keeps what was made of the file at `path`, unless the same was kept last."""
    digest = xxhash.xxh3_128(content).hexdigest()
    if digest == store.manifest.one("select hash from input where kind = ? order by id desc limit 1", kind):
        return
    with store.manifest.transaction() as connection:
        connection.execute(
            "insert into input (kind, name, content, hash, at) values (?, ?, ?, ?, ?)",
            (kind, shown(path), content, digest, now()),
        )


def kept_input(
    store: Ledger,
    kind: str,
    read: Callable[[Path], pl.DataFrame],
    schema: dict[str, pl.DataType],
    at: datetime | None = None,
) -> pl.DataFrame:
    """The rows of a kept file, as it was given last (until `at`); no rows where none was ever given."""
    query = "select content from input where kind = ? and at <= ? order by id desc limit 1"
    content = store.manifest.one(query, kind, at.isoformat() if at else now())
    if content is None:
        return schemas.empty(schema)
    path = store.staging / f"{kind}.csv"
    path.write_bytes(content)
    return read(path)


def made_of(store: Ledger, settings: Settings, scenarios: Sequence[object]) -> str:
    """What a build is made of, as text: the same text means that the published catalogue is still right."""
    kept = store.manifest.rows("select kind, hash from input where id in (select max(id) from input group by kind)")
    versions = [importlib.metadata.version(name) for name in ("tokenspread", *PRICE_PACKAGES)]
    told = sorted(settings.aliases.items()), str(settings.prices_as_of), settings.target_margin_share
    # their text holds all that they say
    return json.dumps([store.manifest.version(), kept, list(map(repr, scenarios)), versions, told, _code_digest()])


def _code_digest() -> str:
    digest = xxhash.xxh3_128()
    for path in [*sorted(SQL.rglob("*.sql")), *sorted(Path(prices.__file__).parent.glob("*.csv"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def price_history(store: Ledger) -> pl.DataFrame:
    rows = store.manifest.rows("select row from price_row")
    return pl.DataFrame([json.loads(row["row"]) for row in rows], schema=_STORED_PRICES).cast(schemas.PRICE_BOOK)


def asked_refs(store: Ledger) -> pl.DataFrame:
    """PRICE_REFS that any build asked a price for, and since when (asked_at)."""
    rows = [json.loads(row["ref"]) | row for row in store.manifest.rows("select ref, asked_at from price_ref")]
    stored = schemas.PRICE_REFS | {"asked_at": pl.String}
    return pl.DataFrame(rows, schema=stored).with_columns(pl.col("asked_at").str.to_datetime("%+", time_zone="UTC"))


def keep_price_history(store: Ledger, book: pl.DataFrame, refs: pl.DataFrame, asked_at: datetime) -> None:
    rows = book.cast(_STORED_PRICES).rows(named=True)
    asked = [(json.dumps(ref), asked_at.isoformat()) for ref in refs.rows(named=True)]
    with store.manifest.transaction() as connection:
        connection.execute("delete from price_row")
        connection.executemany("insert into price_row values (?)", [(json.dumps(row),) for row in rows])
        connection.executemany("insert or ignore into price_ref values (?, ?)", asked)
