"""Which telling of a call wins hangs on what is told, never on where: lines, files and runs may come in any order."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql.builders import ledger_row
from transforms import schemas, settlement

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ADDRESS = ("content_id", "line_number", "part")
NAMES = st.none() | st.sampled_from(["a", "b"])
COUNTS = st.none() | st.integers(0, 2)
BY_TYPE = {
    pl.String: NAMES,
    pl.Int64: COUNTS,
    pl.Float64: st.none() | st.sampled_from([0.5, 2.0]),
    pl.Boolean: st.none() | st.booleans(),
}
VARIED = {
    **{name: BY_TYPE[dtype] for name, dtype in schemas.LEDGER.items() if dtype in BY_TYPE and name not in ADDRESS},
    "response_id": st.just("r"),
    "action_id": st.sampled_from(["r", "a", "b"]),
    "status": st.sampled_from(["success", "error", "refused", "cache_hit"]),
    "called_at": st.none() | st.sampled_from([datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]),
}


def ledger(rows: list[dict]) -> pl.DataFrame:
    """Tellings of one call, at addresses of their own."""
    same = {"key_hi": 1, "key_lo": 1, "response_id": "r", "action_id": "r"}
    return pl.DataFrame(
        [ledger_row(number, **(same | row)) for number, row in enumerate(rows, start=1)], schema=schemas.LEDGER
    )


def winner(*tellings: pl.DataFrame) -> dict:
    """Settled in runs, one after another."""
    settled = schemas.empty(schemas.LEDGER)
    for telling in tellings:
        settled = settlement.settle(pl.concat([settled, telling]))
    (row,) = settled.drop(ADDRESS).to_dicts()
    return row


@pytest.mark.parametrize("column", ["action_id", "user_id", "customer_id", "model", "input_tokens", "called_at"])
def test_a_record_that_tells_one_thing_of_a_call_is_a_call(column):
    """A run that was killed names its action alone; it cost money all the same."""
    of = {pl.String: "x", pl.Int64: 0}
    nothing = {name: None for name in schemas.CALLS} | {"content_id": 1, "part": 0, "feature": "a", "provider": "p"}
    telling = {column: of.get(schemas.CALLS[column], datetime(2026, 3, 1, tzinfo=UTC))}
    told = pl.DataFrame(
        [nothing | {"line_number": 1}, nothing | telling | {"line_number": 2}], schema=schemas.CALLS, orient="row"
    )
    assert settlement.judged(told.head(1), NOW)["verdict"].to_list() == [settlement.NOTHING]
    assert settlement.judged(told, NOW)["verdict"].to_list() == [settlement.NOTHING, None]


def test_every_column_of_the_ledger_has_its_say():
    named = [name for name, _ in settlement.preferences()]
    assert {*settlement.KEY, *named} == set(schemas.LEDGER)
    assert tuple(named[-3:]) == ADDRESS


alike_but_for_some = st.tuples(
    st.fixed_dictionaries(VARIED), st.lists(st.fixed_dictionaries({}, optional=VARIED), min_size=1, max_size=4)
)


@given(alike_but_for_some, st.randoms(use_true_random=False))
def test_the_order_of_lines_and_runs_does_not_matter(told, order):
    base, changes = told
    rows = [base, *(base | change for change in changes)]
    mixed = order.sample(rows, len(rows))
    cut = order.randint(0, len(rows))
    assert winner(ledger(rows)) == winner(ledger(mixed)) == winner(ledger(mixed[:cut]), ledger(mixed[cut:]))


def first(*rows: dict) -> dict:
    assert winner(ledger(list(rows))) == winner(ledger(list(reversed(rows))))
    return winner(ledger(list(rows)))


def test_most_usage_wins_then_an_answer_then_what_is_attributed():
    assert first({"output_tokens": 9, "status": "error"}, {"feature": "x"})["output_tokens"] == 10
    statuses = ("error", "refused", "cache_hit", "success")
    assert [first(*({"status": s} for s in statuses[:n]))["status"] for n in (1, 2, 3, 4)] == list(statuses)
    assert first({"status": "error", "feature": "x"}, {})["status"] == "success"
    assert first({"shape": "anthropic_stream", "status": "error"}, {"shape": "anthropic_stream"})["status"] == "error"
    # the call's own id stands where the log names no action
    assert first({}, {"action_id": "z", "feature": "triage"})["action_id"] == "z"
    assert first({"action_id": "a"}, {"feature": "f", "user_id": "u"})["feature"] == "f"
    assert first({"action_id": "z"}, {"feature": "f"})["action_id"] == "z"


def test_a_frame_without_duplicates_is_left_as_it_is():
    frame = ledger([{"key_lo": number} for number in range(3)])
    assert settlement.settle(frame) is frame


def calls(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(schemas.CALLS) | {"content_id": 1} | row for row in rows], schema=schemas.CALLS)


def test_parts_of_one_line_never_pass_for_another_lines():
    most = 2**settlement.PART_BITS - 1
    places = [(1, 0), (1, 65_536), (1, most), (2, 0), (2, 65_535), (2**39, most)]
    keyed = settlement.keyed(calls(*({"line_number": line, "part": part} for line, part in places)))
    assert keyed.select("key_hi", "key_lo").n_unique() == len(places)


def test_a_line_with_more_parts_than_an_address_holds_is_quarantined_whole():
    told = calls(
        {"line_number": 1, "part": 0},
        {"line_number": 1, "part": 2**settlement.PART_BITS},
        {"line_number": 2, "part": 0},
    )
    kept, rejects = settlement.by_verdict(told)
    assert kept["line_number"].to_list() == [2]
    assert rejects.rows() == [(1, 1, None, "tells of more than 16777216 calls")]
