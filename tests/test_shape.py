"""The rules of the house that no linter knows: sizes, units, what may touch the outside, what a SQL file may hold."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from transforms import schemas

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for room in ("pipelines", "transforms") for path in (ROOT / room).rglob("*.py"))
TRANSFORMS = [path for path in MODULES if path.is_relative_to(ROOT / "transforms")]
MODELS = sorted((ROOT / "sql" / "models").rglob("*.sql"))
CHECKS = sorted((ROOT / "sql" / "checks").rglob("*.sql"))
COOKBOOK = sorted((ROOT / "sql" / "cookbook").glob("*.sql"))

MODULE_LINES = 250
FUNCTION_LINES = 40
UNITS = ("_tokens", "_count", "_seconds", "_pico", "_atto", "_usd", "_share", "_rate")  # a rate: money for one unit
VALUE_TYPES = {
    *("__future__", "base64", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions"),
    *("functools", "hashlib", "itertools", "json", "math", "operator", "re", "shlex", "string", "typing", "zoneinfo"),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a module imports, anywhere in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import; name the module in full"
            yield node.module or ""


def is_zero(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) == "pl.lit":
        node = node.args[0]
    return isinstance(node, ast.Constant) and node.value in (0, "0") and node.value is not False


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_fits_in_a_head(path: Path) -> None:
    line_count = len(path.read_text(encoding="utf-8").splitlines())
    assert line_count <= MODULE_LINES
    too_long = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert too_long == []


@pytest.mark.parametrize("path", TRANSFORMS, ids=name_of)
def test_unknown_never_becomes_zero_without_a_reason(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    unexplained = []
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        values = node.args + [keyword.value for keyword in node.keywords]
        if node.func.attr == "get":
            values = node.args[1:]
        if node.func.attr in ("fill_null", "get") and any(is_zero(value) for value in values):
            around = lines[max(0, node.func.end_lineno - 2) : node.end_lineno]
            if not any("#" in line for line in around):
                unexplained.append(f"line {node.func.end_lineno}: {ast.unparse(node)[-60:]}")
    assert unexplained == []


@pytest.mark.parametrize("path", TRANSFORMS, ids=name_of)
def test_a_transform_imports_only_values(path: Path) -> None:
    allowed = VALUE_TYPES | {"polars", "polars_hash", "transforms"}
    assert {name for name in imported(path) if name.split(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_settings_reads_the_environment(path: Path) -> None:
    """`own_server` alone may set defaults, which Prefect reads while it is imported."""
    if path.name == "settings.py":
        return
    tree = tree_of(path)
    writes = {
        id(node.value)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Attribute) and node.attr == "setdefault")
        if path.name == "own_server.py"
    }
    reads = [
        f"line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv", "os.getenvb")
        and id(node) not in writes
    ]
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "os"
             for alias in node.names}  # fmt: skip
    assert reads == []
    assert not names & {"environ", "environb", "getenv", "getenvb"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_schedulers_modules_import_prefect(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    assert path.name in ("artifacts.py", "flows.py", "own_server.py", "scheduler.py") or "prefect" not in tops


def in_a_bare_process(tmp_path: Path, code: str) -> str:
    """What `code` prints in a process with an empty environment, started in an empty directory."""
    here, home = tmp_path / "here", tmp_path / "prefect"
    here.mkdir()
    env = {"HOME": str(here), "PREFECT_HOME": str(home), "PATH": os.defpath}
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=here, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert list(here.iterdir()) == []
    return done.stdout


def test_importing_writes_and_prints_nothing(tmp_path: Path) -> None:
    names = [module_name(path) for path in MODULES if path.name != "__main__.py"]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    assert in_a_bare_process(tmp_path, code) == ""


def test_the_door_opens_at_once(tmp_path: Path) -> None:
    """--help must not wait for the libraries that only the commands need."""
    heavy = ("polars", "duckdb", "prefect", "genai_prices", "rich.progress")
    code = f"import pipelines.cli\nprint([name for name in {heavy!r} if name in sys.modules])"
    assert in_a_bare_process(tmp_path, code).strip() == "[]"


def test_every_fraction_names_its_unit() -> None:
    without = {
        f"{frame}.{column}"
        for frame, columns in vars(schemas).items()
        if isinstance(columns, dict) and frame.isupper()
        for column, dtype in columns.items()
        if dtype in (pl.Float32, pl.Float64, pl.Int128) or isinstance(dtype, pl.Decimal)
        if not column.endswith(UNITS)
    }
    assert without == set()


@pytest.mark.parametrize("path", MODELS + CHECKS + COOKBOOK, ids=name_of)
def test_a_sql_file_is_one_select_over_tables(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    statements = duckdb.extract_statements(text)
    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    bare = re.sub(r"--[^\n]*", "", text).lower()
    assert not re.search(r"\b(read_|parquet_|sniff_|glob\s*\()", bare), "names a file; stored tables have names"
    assert not re.search(r"'\d{4}-\d\d-\d\d", bare), "holds a date"
    assert not re.search(r"\b(now|current_date|current_timestamp|today|random)\b", bare), "asks the clock or the dice"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["schedule"]
    declared = {re.split(r"[^a-z0-9-]", requirement.lower())[0].replace("-", "_") for requirement in requirements}
    declared |= {"vl_convert"} if "vl_convert_python" in declared else set()  # the one whose import has another name
    known = declared | set(sys.stdlib_module_names) | {"pipelines", "transforms", "sql"}
    assert {top for path in MODULES for name in imported(path) if (top := name.split(".")[0]) not in known} == set()


def test_every_requirement_is_pinned_and_no_registry_named() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([a-z0-9-]+)==[^\s;]+(?: ; .+)?$", text, flags=re.MULTILINE)
    assert len(pins) == len(text.splitlines()), "only pins: no index, no URL, no hash"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    assert {re.split(r"[^a-z0-9-]", requirement.lower())[0] for requirement in requirements} <= set(pins)


def test_the_sql_is_found_as_a_resource() -> None:
    folder = importlib.import_module("importlib.resources").files("sql")
    assert folder.joinpath("models").is_dir()


def test_ci_runs_the_test_command() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
    assert commands[-1] == "exec make test"
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
