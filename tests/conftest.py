"""What every test shares: an environment of its own, the goldens, and one Prefect server for the tests that need it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

GOLDENS = Path(__file__).parent / "goldens"

# Wall time says nothing on a busy machine; the explain phase costs minutes of it after a failure.
PHASES = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("tokenspread", deadline=None, print_blob=True, phases=PHASES)
hypothesis.settings.load_profile("tokenspread")

# Prefect makes its home when it is imported; the user's own must stay as it is.
_PREFECT_HOME = tempfile.TemporaryDirectory(prefix="tokenspread-prefect-")
os.environ["PREFECT_HOME"] = _PREFECT_HOME.name
for _name in [name for name in os.environ if name.startswith("TOKENSPREAD_") or name == "PREFECT_API_URL"]:
    del os.environ[_name]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens from what the code says now")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "golden" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.golden)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: the text equals tests/goldens/<name>; `make goldens` writes it anew."""

    def check(name: str, text: str) -> None:
        path = GOLDENS / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: `make goldens` writes it"
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def prefect_harness() -> Iterator[None]:
    """A throw-away Prefect server that flows called in this process report to."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    # A flow with heartbeats takes a second longer to end, and only in the process can they be switched off.
    without_heartbeats = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with prefect_test_harness(server_startup_timeout=120), temporary_settings(without_heartbeats):
        yield
