"""What is printed of past swaps and of two models, and that a name from a log cannot steer the terminal."""

import io
import json

import pytest

from pipelines import warehouse
from pipelines.errors import UserError
from pipelines.report import swaps
from tests.sql import builders

EVIL = "tri\x1b[2Jage"


def calls(model, day, outputs, **more):
    called_at = f"2026-03-0{day}T12:00:00+00:00"
    return [
        {"model": model, "called_at": called_at, "feature": EVIL, "output_tokens": tokens} | more for tokens in outputs
    ]


SHOP = {
    "rate_cards": [{}, {"model": "model-b", "input_rate": 1_000_000, "output_rate": 5_000_000}],
    "ledger": [
        *calls("model-a", 1, [10] * 10 + [20] * 10),
        *calls("model-b", 2, [20] * 10 + [40] * 10, input_tokens=80),
        *calls("model-a", 3, [1, 1], action_id="both"),
        *calls("model-b", 3, [1], action_id="both"),
        {"called_at": None},
    ],
    "outcomes": [{"is_success": number % 2 == 0} for number in range(40)],
}


@pytest.fixture(scope="module")
def query():
    with builders.catalogue(SHOP, "model_swaps", "swap_evidence") as connection:
        yield lambda sql: warehouse.frame_of(connection, sql)


def past(query, *arguments):
    stream = io.StringIO()
    swaps.write_past(query, *arguments[:1] or ["text"], stream, *arguments[1:])
    return stream.getvalue()


def evidence(query, from_model, to_model):
    return "\n".join(swaps.evidence(query, from_model, to_model)) + "\n"


PAST = """\
1 swap of a feature's main model, of 20 actions or more

tri\\x1b[2Jage, 2026-03-02: openai/model-a -> openai/model-b
                          before       after  change (95 % interval)
  from (UTC)          2026-03-01  2026-03-02
  to                  2026-03-01  2026-03-02
  actions                     20          20
  share of all            100.0%      100.0%
  tokens/action              115         110  x0.957 (0.912 to 1.002)
  of these input                              x0.800
  of these output                             x2.000 (1.603 to 2.495)
  USD/million tokens        3.04        2.09
  cost/action (USD)      0.00035     0.00023  x0.657 (0.580 to 0.740)
  labelled actions            20          20
  success share            50.0%       50.0%  +0.0 points (-28.4 to +28.4)
  cost/outcome (USD)      0.0007     0.00046

1 call without an instant: swaps are not looked for among them
"""

EVIDENCE = """\
openai/model-a -> model-b, as measured

tri\\x1b[2Jage, before and after
                             before       after  change (95 % interval)
  from (UTC)             2026-03-01  2026-03-02
  to                     2026-03-01  2026-03-02
  actions                        20          20  1 more on several models
  input/action                  100          80  x0.800
  output/action                  15          30  x2.000 (1.603 to 2.495)
  tokens/action                 115         110  x0.957 (0.912 to 1.002)
  cached share of input           -           -
  cost/action (USD)         0.00035     0.00023  x0.657 (0.580 to 0.740)
  labelled actions               20          20
  success share               50.0%       50.0%  +0.0 points (-28.4 to +28.4)
  cost/outcome (USD)         0.0007     0.00046
"""


def test_past_swaps_are_printed(query):
    assert past(query) == PAST
    assert past(query, False, 21).startswith("0 swaps of a feature's main model, of 21 actions or more\n")


def test_evidence_is_printed(query):
    assert evidence(query, "openai/model-a", "model-b") == EVIDENCE
    assert evidence(query, "model-b", "openai/model-b").splitlines()[1] == swaps.NO_EVIDENCE


def test_json_has_the_same_figures_exactly(query):
    (swap,) = json.loads(past(query, "json"))
    assert (swap["swapped_on"], swap["feature"], swap["to_cost_per_action_usd"]) == (
        "2026-03-02",
        EVIL,
        "0.000230000000",
    )


def test_an_unknown_model_and_a_senseless_count_are_refused(query):
    with pytest.raises(UserError, match=r"^model-\\x1b: no call was made on it; .* openai/model-a, openai/model-b"):
        evidence(query, "model-a", "model-\x1b")
    with pytest.raises(UserError, match="^'; drop"):
        evidence(query, "'; drop", "model-a")
    with pytest.raises(UserError, match="^0 actions: a swap needs at least 1"):
        past(query, "text", 0)
