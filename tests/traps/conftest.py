"""What every trap is laid in."""

from pathlib import Path

import pytest

from tests.traps.laying import Logs


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)
