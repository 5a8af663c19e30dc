"""What every worker has imported before it is forked, so that a trial costs a tenth of a second and not a whole one.

None of it may start the thread pools of polars or DuckDB: threads do not outlive a fork, and a worker would wait for
them for ever. What reads the shapes of logs starts one: the corridor (`stages`), and what imports a part of it, are
left to the worker.
"""

import importlib
import os
from pathlib import Path

LIBRARIES = (
    "duckdb",
    "genai_prices",
    "nanoarrow",
    "numpy",
    "polars",
    "polars_hash",
    "rich.progress",
    "typer",
    "xxhash",
)
ROOMS = ("erasure", "ledger", "manifest", "sandbox", "warehouse")
for _name in (*LIBRARIES, "pytest", *(f"pipelines.{room}" for room in ROOMS)):
    importlib.import_module(_name)

POOLS = {
    name
    for task in Path("/proc/self/task").glob("*")
    if (name := (task / "comm").read_text().strip()).startswith(("polars-0", "tokio"))
}
SERVER = os.getpid()
