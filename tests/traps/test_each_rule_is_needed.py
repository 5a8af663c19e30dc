"""Each of the 25 traps has a test that fails when the rule against it is taken out."""

import pytest

from tests.traps import (  # noqa: F401 - what is imported fills TRAPS
    test_traps_01_to_03,
    test_traps_04,
    test_traps_05,
    test_traps_06,
    test_traps_07_to_08,
    test_traps_09_to_10,
    test_traps_11,
    test_traps_12_to_15,
    test_traps_16_to_18,
    test_traps_19_to_20,
    test_traps_21_to_22,
    test_traps_23_to_24,
)
from tests.traps.laying import TRAPS, Fall, Logs

FALLS = [pytest.param(fall, id=f"{number}: {rule}") for number, falls in TRAPS.items() for rule, fall in falls.items()]


def test_every_trap_is_laid() -> None:
    assert [number for number, falls in TRAPS.items() if not falls] == []


@pytest.mark.parametrize("fall", FALLS)
def test_without_its_rule_another_figure_comes_out(fall: Fall, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    fall.take_out(monkeypatch)
    found = fall.scenario(logs)
    assert found != fall.right
    assert found == fall.wrong
