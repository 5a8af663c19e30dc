"""Every damage that is known of a log of JSON lines, over the fast path and the exact one, as it is, packed and grown:
a line is the right call, or quarantined with its number and reason, or the file is refused; nothing else is touched."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import UserError
from tests.bad_input.forms import FORMS, Form, Taken, gzipped, taken, zstd_packed
from tests.bad_input.jsonl_cases import BLANK, CASES, FILES, Call, Case, FileCase, Rejected, five

PACKED = {"gzip": gzipped, "zstd": zstd_packed}
CUT = b'{"cut'  # a line that sends its whole file through the exact path
ANY_FILE = {"content_id", "key_hi", "key_lo", "response_id", "action_id"}


def name_of(case: str, form: str, variant: str) -> str:
    return f"{case} {form} {variant}.jsonl"


def lines_of(case: Case, form: Form, variant: str) -> list[bytes]:
    if variant == "good":
        return five(form, f"{case.name}-good")
    lines = case.lines(form, f"{case.name}-{form.name}-{variant}")
    return [*lines, CUT] if variant == "exact" else lines


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Iterator[dict[str, Taken]]:
    """All of it in one folder, beside good files, in two runs: some files have grown by the second."""
    folder = tmp_path_factory.mktemp("jsonl")
    logs = folder / "logs"
    logs.mkdir()
    whole = {}
    for case in CASES:
        for form, variant in case.written():
            name, data = name_of(case.name, form, variant), joined(lines_of(case, FORMS[form], variant))
            if variant == "grown":
                whole[name], data = data, joined(data.split(b"\n", 2)[:2])
            (logs / name).write_bytes(PACKED.get(variant, bytes)(data))
    taken(folder / "data", logs)
    for name, data in whole.items():
        (logs / name).write_bytes(data)
    yield taken(folder / "data", logs)
    shutil.rmtree(folder)  # some 200 MB


def assert_is(found: Taken, case: Case, form: Form, line_count: int, variant: str) -> None:
    verdicts = case.verdicts_of(form, line_count)
    if variant == "exact":
        verdicts[line_count] = Rejected("not JSON")
    calls = {number: told for number, told in verdicts.items() if isinstance(told, Call)}
    rejected = {number: told.reason for number, told in verdicts.items() if isinstance(told, Rejected)}
    assert found.refused is None
    assert {number: row[form.tokens_column] for number, row in found.calls.items()} == {
        number: told.tokens for number, told in calls.items()
    }
    for number, told in calls.items():
        assert {name: found.calls[number][name] for name in told.columns} == told.columns
    assert found.quarantined.keys() == rejected.keys()
    for number, reason in rejected.items():
        assert reason.format(tokens=form.tokens_path, cost=form.cost_path) in found.quarantined[number]
    assert found.balance == {
        "line_count": line_count,
        "call_line_count": len(calls),
        "other_line_count": 0,
        "blank_line_count": list(verdicts.values()).count(BLANK),
        "quarantined_line_count": len(rejected),
        "pruned_line_count": 0,
    }


def values_of(found: Taken) -> dict[int, dict]:
    """The calls without what tells one file from another."""
    return {
        number: {name: value for name, value in row.items() if name not in ANY_FILE}
        for number, row in found.calls.items()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_damaged_line(case: Case, results: dict[str, Taken]) -> None:
    for name, variant in case.written():
        form, found = FORMS[name], results[name_of(case.name, name, variant)]
        if variant == "good":
            assert [row[form.tokens_column] for row in found.calls.values()] == [10] * 5
            assert not found.quarantined
            continue
        plain = results[name_of(case.name, name, "plain")]
        assert_is(found, case, form, len(lines_of(case, form, variant)), variant)
        assert values_of(found) == values_of(plain)  # the same on every path, to the last column
        assert plain.quarantined.items() <= found.quarantined.items()


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
def test_a_damaged_file(case: FileCase, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for form in FORMS.values():
        (logs / f"{form.name} good").write_bytes(joined([form.line(f"good-{form.name}", n) for n in range(1, 6)]))
        for variant, packed in ({"plain": bytes} | PACKED).items():
            (logs / f"{form.name} {variant}").write_bytes(packed(case.data(form, f"{form.name}-{variant}")))
    results = taken(tmp_path / "data", logs)
    for form in FORMS.values():
        assert [row[form.tokens_column] for row in results[f"{form.name} good"].calls.values()] == [10] * 5
        for variant in ("plain", *PACKED):
            found = results[f"{form.name} {variant}"]
            told = {number: row[form.tokens_column] for number, row in found.calls.items()}
            assert told == dict.fromkeys(case.calls, 10)
            assert found.quarantined == case.quarantined
            assert (found.refused is not None) == (case.refused is not None)
            assert case.refused is None or case.refused in found.refused
            assert (found.waiting > 0) == case.waits
            if found.balance:
                assert found.balance["line_count"] == sum(
                    found.balance[f"{kind}_line_count"] for kind in ("call", "other", "blank", "quarantined")
                )
                assert found.balance["call_line_count"] == len(case.calls)
            else:
                assert not case.calls


@pytest.mark.parametrize("case", [case for case in FILES if case.refused], ids=lambda case: case.name)
def test_a_file_that_is_named_and_refused_says_why_and_what_to_do(case: FileCase, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(case.data(FORMS["chat"], "named"))
    try:
        found = taken(tmp_path / "data", path)
    except UserError as error:
        assert case.refused in str(error) and os.fspath(path) in str(error)
        assert "save it as UTF-8" in str(error) or "--shape" in str(error)
    else:
        assert case.refused in found["log.jsonl"].refused
