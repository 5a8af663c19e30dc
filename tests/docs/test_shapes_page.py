"""docs/shapes.md has a section for each shape, and what it says of places in a record is what the code reads."""

import json
import re

import pytest

from tests.docs.pages import ROOT, read
from transforms.schemas import ATTRIBUTES
from transforms.shapes import ORDER
from transforms.shapes.dialects import exchange, otel_attributes
from transforms.shapes.signatures import SIGNATURES

PAGE = read("docs/shapes.md")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE))
SHAPES = {shape.name: shape for shape in ORDER}
ROWS = {"feature": "feature", "user": "user_id", "customer": "customer_id", "action": "action_id"}
NONE, ENVELOPE, SAME = "–", "the [envelope]", "as [litellm_slp]"
SAMPLES = ROOT / "sample_logs"


def row(name: str, title: str) -> str:
    """What the table of a shape's section says under `title`."""
    (found,) = re.findall(rf"^\| {title} \| (.*) \|$", SECTIONS[name], re.MULTILINE)
    return found


def plain(path: str) -> str:
    return path.replace(">", ".").replace('"', "")


def known_paths(name: str) -> set[str]:
    """Every place that the shape may read, and for labels (read as a whole) whatever is below one."""
    attributes = {key for keys in otel_attributes.KEYS.values() for key in keys} if name == "otel" else set()
    return {plain(path) for path in SHAPES[name].fields} | attributes


def calls_of_samples() -> list[dict]:
    expected = json.loads((SAMPLES / "shapes" / "EXPECTED.json").read_text(encoding="utf-8"))
    return [call for file in expected.values() for call in file.get("calls", [])]


def test_every_shape_has_its_section_and_no_other_has():
    assert list(SECTIONS) != []
    assert set(SECTIONS) == set(SIGNATURES)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_section_says_all_that_a_reader_looks_for(name):
    for title in ("get it", "sample", "read", *ROWS, "traps"):
        assert row(name, title)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_sample_is_of_its_shape(name):
    (link,) = re.findall(r"\]\(\.\./(\S+)\)", row(name, "sample"))
    assert (ROOT / link).exists()
    expected = json.loads((SAMPLES / link.split("/")[1] / "EXPECTED.json").read_text(encoding="utf-8"))
    files = expected.get("files", expected)
    assert files[link.split("/", 2)[2]]["shape"] == name


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_place_that_a_section_names_is_read(name):
    known = known_paths(name)
    for title in ROWS:
        for path in re.findall(r"`([\w.-]+)`", row(name, title)):
            is_labels = any(path.startswith(f"{field}.") for field in known)
            assert path in known or is_labels, f"{title}: {path}"


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_envelope_is_named_where_it_is_read_and_nowhere_else(name):
    reads_it = set(exchange.FIELDS) - {"response.error", "error"} <= set(SHAPES[name].fields)
    for title in ROWS:
        assert (ENVELOPE in row(name, title)) == reads_it


def test_the_envelope_is_described_as_it_is_read():
    section = PAGE.split("## The envelope")[1].split("\n## ")[0]
    told = set(re.findall(r"`([\w.]+)`", section.split("| from the envelope")[1]))
    assert told - set(ATTRIBUTES) <= set(exchange.FIELDS)
    assert {"request.user", "request.safety_identifier", *exchange.TIMES} <= told


@pytest.mark.parametrize("call", calls_of_samples(), ids=lambda call: f"{call['shape']}-{call['line_number']}")
def test_nothing_is_found_where_a_section_says_that_there_is_nothing(call):
    """An action that is named by the call's own id, or by its line, is one that the log does not name."""
    for title, column in ROWS.items():
        told = row(call["shape"], title)
        own_id = column == "action_id" and call[column] in (call.get("response_id"), None)
        by_line = column == "action_id" and str(call.get(column)).startswith("call-")
        if call.get(column) is not None and not own_id and not by_line:
            assert told != NONE, f"{title}: {call[column]}"


def test_a_dash_is_said_of_no_shape_that_reads_such_a_field():
    """`–` is said of no shape that reads a field of this name."""
    for name in SIGNATURES:
        for title, column in ROWS.items():
            if row(name, title) == NONE:
                named = [path for path in known_paths(name) if path.split(".")[-1] == column]
                assert named == [], name
