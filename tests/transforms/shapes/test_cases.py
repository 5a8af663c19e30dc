"""Each `<shape>.yaml` beside this file: a line, and the calls or the verdict that it must yield; or several lines, and
the calls or verdicts of all of them, in order (`calls: [{verdict: other}, {...}]`).

A call names every column that is not null, `always` those that all calls of the file have unless they say otherwise.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import calls_of, lines_frame, record_of
from transforms.schemas import QUANTITIES
from transforms.shapes import ORDER

SHAPES = {shape.name: shape for shape in ORDER}
FILES = sorted(Path(__file__).parent.glob("*.yaml"))


def cases() -> list[Any]:
    read = [(path.stem, yaml.safe_load(path.read_text())) for path in FILES]
    return [
        pytest.param(name, file["always"], case, id=f"{name}: {case['about'][:60]}")
        for name, file in read
        for case in file["cases"]
    ]


def expected(always: dict[str, Any], case: dict[str, Any]) -> list[dict[str, Any]]:
    if "verdict" in case:
        return [{"verdict": case["verdict"]}]
    told = case.get("calls") or [case["call"]]
    unused = dict.fromkeys(QUANTITIES, 0)  # a cache hit used nothing
    told = [unused | call if call.get("status") == "cache_hit" else call for call in told]
    return [
        call
        if "verdict" in call
        else {name: value for name, value in (always | {"part": 0} | call).items() if value is not None}
        for call in told
    ]


def found(call: dict[str, Any]) -> dict[str, Any]:
    if call["verdict"]:
        return {"verdict": call["verdict"]}
    keys = ("content_id", "line_number", "shape")
    return {name: value for name, value in call.items() if value is not None and name not in keys}


def at_instant(call: dict[str, Any]) -> dict[str, Any]:
    at = call.get("called_at")
    return call | {"called_at": datetime.fromisoformat(at)} if isinstance(at, str) else call


def test_every_shape_has_its_cases() -> None:
    assert {path.stem for path in FILES} == SHAPES.keys()


@pytest.mark.parametrize(("name", "always", "case"), cases())
def test_case(name: str, always: dict[str, Any], case: dict[str, Any]) -> None:
    shape = SHAPES[name]
    given = case.get("lines") or [case["line"]]
    texts = [line if isinstance(line, str) else json.dumps(line) for line in given]
    calls = calls_of(shape, lines_frame(enumerate(map(record_of, texts), 1), shape.fields))
    assert [found(call) for call in calls.to_dicts()] == [at_instant(call) for call in expected(always, case)]
    assert set(calls["shape"]) == {name}
