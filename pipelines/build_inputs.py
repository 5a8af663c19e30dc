"""What a build needs beside the ledger, kept in the manifest: the user's small files, the price book's history."""

import importlib.metadata
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import xxhash

from pipelines import prices
from pipelines.bounds import Bounds
from pipelines.errors import UserError
from pipelines.ledger import Ledger
from pipelines.log_files import shown
from pipelines.manifest import now
from pipelines.settings import Settings
from pipelines.users import Users
from pipelines.warehouse import SQL, distinct_names
from transforms import schemas

PRICE_PACKAGES = ("genai-prices", "model-prices")
# what a catalogue groups by: bound -> column, by kind of file
NAMES = {
    "ledger": {
        "features": "feature",
        "environments": "environment",
        "users": "user_id",
        "customers": "customer_id",
    },
    "outcomes": {"outcomes": "outcome"},
}
# price rows as JSON holds them: instants as microseconds
_STORED_PRICES = {n: pl.Int64 if t == schemas.INSTANT else t for n, t in schemas.PRICE_BOOK.items()}


def users_of(store: Ledger, settings: Settings) -> Users:
    """What users are called in this data folder, which remembers whether they are hashed, and with which key. Raises
    UserError where the settings say otherwise: one name would stand there as two, or in plain."""
    users, place = Users(settings, store.manifest.rows("select digest, salt from forgotten")), settings.data
    known = store.manifest.one("select fingerprint from user_key")
    if known and not settings.hash_users:
        fix = "say --hash-users, or hash_users = true under [privacy], with its key in TOKENSPREAD_USER_KEY"
        raise UserError(f"{place}: its users are kept under hashes of their names; {fix}")
    if settings.hash_users:
        users.check()
        if known and known != users.key_fingerprint:
            raise UserError(f"{place}: its users are hashed with another key; set TOKENSPREAD_USER_KEY to that one")
        if not known and store.manifest.version():
            fix = "start a new --data folder, or leave --hash-users away"
            raise UserError(f"{place}: it holds users by their names, and one must not stand there as two; {fix}")
        if not known:
            with store.manifest.transaction() as connection:
                connection.execute("insert into user_key values (?, ?)", (users.key_fingerprint, now()))
    return users


def keep_inputs(store: Ledger, settings: Settings, users: Users) -> None:
    """Keeps the small files that later builds need too; a file that is not named stays as it was kept.

    What it said before is kept as well: prices may be asked for as of a day when it held. Raises UserError.
    """
    for kind, path in (("revenue", settings.revenue), ("prices", settings.prices)):
        if path:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
            keep_input(store, kind, path, users.in_revenue(content, path) if kind == "revenue" else content)


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
    until, given = ("and at <= ?", [at.isoformat()]) if at else ("", [])  # last is by number: a clock may go back
    content = store.manifest.one(
        f"select content from input where kind = ? {until} order by id desc limit 1", kind, *given
    )
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
    place = str(store.data.resolve())  # the catalogue names its Parquet files by absolute paths
    # their text holds all that they say
    said = store.manifest.version(), kept, list(map(repr, scenarios)), versions, told, place, _code_digest()
    return json.dumps(said)


def refuse_too_many_names(store: Ledger, refs: pl.DataFrame, bounds: Bounds) -> None:
    """Raises UserError where the ledger has more names than a catalogue is made for: each is a row with each model, day
    and other name that it comes with. `refs`: PRICE_REFS."""
    found = {"price_refs": refs.height}
    for kind, columns in NAMES.items():
        found |= distinct_names(store.paths(kind), columns, bounds, store.staging)
    for name, count in found.items():
        if count > getattr(bounds, name):
            what = "combinations of provider, model, service tier and region" if name == "price_refs" else name
            raise UserError(
                f"{count:,} {what} in the ledger, more than {bounds.told(name)}: a field that holds ids or texts was "
                "probably taken for one. Nothing was published. Name another field in [attribution] or in the log's "
                "mapping and read the logs into a new --data folder; or raise the bound in tokenspread.toml, for "
                "100,000 users or customers more with build_bytes twice as large"
            )


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
