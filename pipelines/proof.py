"""Where in a data folder a name still stands: looked for in every table, row and byte of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipelines import kept_lines, sandbox
from pipelines.draft import KINDS
from pipelines.ledger import Ledger
from pipelines.log_files import OWN, shown
from pipelines.sought import LEAST_BYTES, Sought
from pipelines.warehouse_sources import identifier, literal

COMPRESSED = ("catalog", *KINDS)  # whose texts are searched; a part of a longer one may stand by itself among the bytes
COLUMNS = """
select schema_name, table_name, column_name
from duckdb_columns()
where database_name = 'warehouse' and not internal and data_type like '%VARCHAR%'
order by all
"""


@dataclass
class Proof:
    """What was searched, and each place where the name stands: none, and it is gone."""

    searched: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


def search(store: Ledger, sought: Sought) -> Proof:
    """Texts of the ledger and of the published catalogue, rows of the manifest, bytes of all files of the folder."""
    proof = Proof()
    _search_ledger(store, sought, proof)
    _search_catalogue(store.data / "warehouse.duckdb", sought, proof)
    _search_manifest(store, sought, proof)
    _search_bytes(store.data, sought, proof)
    return proof


def together(proofs: Sequence[Proof]) -> Proof:
    """Of several names: the same was searched for each."""
    return Proof(proofs[0].searched, [place for proof in proofs for place in proof.places])


def _search_ledger(store: Ledger, sought: Sought, proof: Proof) -> None:
    files = column_count = 0
    for kind in KINDS:
        for path in store.paths(kind):
            scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            columns = [name for name, dtype in scan.collect_schema().items() if dtype == pl.String]
            for column in columns:
                holds = pl.col(column).str.contains(sought.name, literal=True)
                texts = scan.select(column).filter(holds).unique().collect(engine="streaming")[column]
                _note(proof, sought, f"{Path(path).relative_to(store.data)}, column {column}", texts.to_list())
            files, column_count = files + 1, column_count + len(columns)
    if count := kept_lines.count(store, kept_lines.are_naming(sought.name)):
        proof.places.append(f"what quarantined lines say: {count:,} line{'' if count == 1 else 's'}")
    proof.searched.append(f"{files:,} files of the ledger ({column_count:,} columns of text)")


def _search_catalogue(link: Path, sought: Sought, proof: Proof) -> None:
    tables: dict[tuple[str, str], list[str]] = {}
    with sandbox.asking(link) as ask:
        for schema, table, column in ask(COLUMNS).rows():
            tables.setdefault((schema, table), []).append(column)
        for (schema, table), columns in tables.items():
            # a text of a list's is found in how the list is written
            texts = {name: f"{identifier(name)}::varchar" for name in columns}
            found = ask(
                "select "
                + ", ".join(
                    f"list(distinct {text}) filter (contains({text}, {literal(sought.name)})) as {identifier(name)}"
                    for name, text in texts.items()
                )
                + f" from {identifier(schema)}.{identifier(table)}",
            )
            for name, values in found.rows(named=True)[0].items():
                _note(proof, sought, f"warehouse.duckdb, {schema}.{table}, column {name}", values or [])
    proof.searched.append(
        f"{len(tables):,} tables and views of warehouse.duckdb ({sum(map(len, tables.values())):,} columns of text)"
    )


def _search_manifest(store: Ledger, sought: Sought, proof: Proof) -> None:
    names = [row["name"] for row in store.manifest.rows("select name from sqlite_master where type = 'table'")]
    for name in names:
        for told in store.manifest.rows(f"pragma table_info({name})"):
            column = told["name"]
            found = store.manifest.rows(
                f"select cast({identifier(column)} as blob) as told from {name} "
                f"where instr(cast({identifier(column)} as blob), cast(? as blob)) > 0",
                sought.name,
            )
            texts = [row["told"].decode(errors="replace") for row in found]
            _note(proof, sought, f"manifest.sqlite, {name}, column {column}", texts)
    proof.searched.append(f"{len(names):,} tables of manifest.sqlite")


def _note(proof: Proof, sought: Sought, place: str, texts: list[str]) -> None:
    count = sum(map(sought.is_in, texts))
    if count:
        proof.places.append(f"{place}: {count:,} text{'' if count == 1 else 's'}")


def _search_bytes(data: Path, sought: Sought, proof: Proof) -> None:
    if not sought.can_be_seen_in_bytes():
        proof.searched.append(f"no bytes: a name of fewer than {LEAST_BYTES} occurs among them by chance")
        return
    names, left_out = OWN, ""
    if example := sought.example:
        names = [name for name in OWN if name not in COMPRESSED]
        left_out = f" (not of {', '.join(COMPRESSED)}: other texts there hold the name, as {example!r} does)"
    ours = [path for name in names for path in (data / name, *(data / name).rglob("*"))]  # logs may stand beside
    paths = sorted(path for path in ours if path.is_file() and not path.is_symlink())
    for path in paths:
        place = shown(path.relative_to(data))
        if sought.is_in(place):
            proof.places.append(f"{place}: the name of the file")
        if count := sought.count_in_file(path):
            proof.places.append(f"{place}: {count:,} time{'' if count == 1 else 's'} among its bytes")
    byte_count = sum(path.stat().st_size for path in paths)
    proof.searched.append(f"{byte_count:,} bytes of {len(paths):,} files{left_out}")
