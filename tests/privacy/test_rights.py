"""Whatever a data folder holds is its owner's alone, under any umask, unless the owner says otherwise with chmod."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines import ledger, nights, retention, stages
from pipelines.durable import owners_alone
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.pipelines.night_logs import Shop

ROOT = Path(__file__).parents[2]
DAY = date(2026, 10, 1)
OPEN_GATE = {"gate": {"quarantined": "100%", "unpriced": "100%", "calls_of_usual": "0%"}}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """One under which what nobody cares for is readable by everybody."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022  # whoever changed it set it back


def rights(data: Path) -> dict[str, str]:
    """By path below the parent of the data folder: what its owner, group and others may do; links have no rights."""
    paths = [path for path in (data, *data.rglob("*")) if not path.is_symlink()]
    return {str(path.relative_to(data.parent)): oct(stat.S_IMODE(path.stat().st_mode)) for path in paths}


def expected(data: Path) -> dict[str, str]:
    told = {}
    for path in (path for path in (data, *data.rglob("*")) if not path.is_symlink()):
        is_catalogue = path.parent.name == "catalog" and path.suffix == ".duckdb"
        told[str(path.relative_to(data.parent))] = "0o700" if path.is_dir() else "0o400" if is_catalogue else "0o600"
    return told


def settings_of(shop: Shop, data: Path) -> Settings:
    return Settings(logs=(str(shop.logs),), outcomes=(shop.outcomes,), data=data, night_tables=OPEN_GATE)


def test_all_that_nights_erasure_and_pruning_leave_is_the_owners_alone(tmp_path):
    shop, data = Shop(tmp_path, 1, calls_a_night=40), tmp_path / "deep" / "data"
    for number in range(2):
        shop.night()
        nights.run(settings_of(shop, data), date(2026, 10, 1 + number))
        assert rights(data) == expected(data)
    kinds = {Path(name).parts[1] for name in rights(data) if len(Path(name).parts) > 1}
    assert {"catalog", "ledger", "outcomes", "reports", "manifest.sqlite", ".lock", ".night.lock"} <= kinds
    with ledger.opened(data) as store:  # what stands there only while a run goes on
        (store.staging / "piece.jsonl").touch()
        assert rights(data) == expected(data)
        assert {Path(name).name for name in rights(data)} >= {"manifest.sqlite-wal", "piece.jsonl"}
    retention.forget_user(settings_of(shop, data), "u-3")
    assert rights(data) == expected(data)
    retention.prune(settings_of(shop, data), date(2026, 10, 2))
    assert rights(data) == expected(data)
    assert rights(data.parent)["deep"] == "0o700"


def test_the_command_line_too(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes((ROOT / "sample_logs" / "shapes" / "openai_chat.jsonl").read_bytes() + b"{broken\n")
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "run", log, "--data", tmp_path / "data"]
    ran = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert ran.returncode in (0, 6), ran.stderr
    assert rights(tmp_path / "data") == expected(tmp_path / "data")
    assert any("quarantine" in name for name in rights(tmp_path / "data"))


def test_a_folder_of_the_user_keeps_its_rights_and_what_is_made_in_it_is_not_lent(tmp_path):
    shop, data = Shop(tmp_path, 1, calls_a_night=20), tmp_path / "data"
    data.mkdir()
    assert oct(data.stat().st_mode)[-3:] == "755"
    shop.night()
    stages.ingest(settings_of(shop, data))
    assert rights(data) == expected(data) | {"data": "0o755"}


def test_who_was_let_in_with_chmod_can_read_what_is_published_next(tmp_path):
    shop, data = Shop(tmp_path, 1, calls_a_night=20), tmp_path / "data"
    shop.night()
    nights.run(settings_of(shop, data), DAY)
    for path in (data, *data.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o050 if path.is_dir() else 0o040))
    shop.night()
    nights.run(settings_of(shop, data), date(2026, 10, 2))
    with_group = {"0o700": "0o750", "0o400": "0o440", "0o600": "0o640"}
    assert rights(data / "catalog") == {name: with_group[told] for name, told in expected(data / "catalog").items()}
    for folder in ("ledger", "reports"):
        assert set(rights(data / folder).values()) == {"0o750", "0o640"}
    assert oct((data / "manifest.sqlite").stat().st_mode)[-3:] == "640"


def test_the_umask_is_the_users_again_also_after_an_error(tmp_path):
    with pytest.raises(UserError), ledger.opened(tmp_path / "data"):
        assert os.umask(0o077) == 0o077
        raise UserError("x")
    with owners_alone(), owners_alone():
        pass
    (tmp_path / "of_the_user").touch()
    assert oct((tmp_path / "of_the_user").stat().st_mode)[-3:] == "644"
