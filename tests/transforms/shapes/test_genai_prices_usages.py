"""Bodies of real responses, reduced to their usage, that are not part of the project: our counts are those that
genai-prices reads from them. It reads each body as every provider whose API has that form would; of these readings one
is by the API that the body is of; the others tell what is lost on whoever takes it for another's.

Its input includes cached tokens and its output reasoning, as ours do; what is absent is 0 there and may be null here.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from tests.builders import SHARED, calls_of, lines
from transforms.shapes import recognise
from transforms.shapes.paths import find
from transforms.shapes.shape import Shape

DATA = SHARED / "data" / "genai_prices_usages" / "usages.json"
pytestmark = pytest.mark.skipif(
    not DATA.is_file(), reason="../shared is absent: its recordings are not part of the project"
)

READINGS = 2_332  # of 1,577 bodies, see FORMS
Counts = Counter[str]  # by genai-prices' names; what is not told counts 0
Body = dict[str, Any]
UNDER_OUR_NAMES = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "input_audio_tokens"),
    *("output_audio_tokens", "input_image_tokens", "output_image_tokens", "input_video_tokens"),
)
OURS = {  # its name -> our columns, of which it is the sum
    **{name: (name,) for name in UNDER_OUR_NAMES},
    "cache_write_tokens": ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens"),
    "output_reasoning_tokens": ("reasoning_tokens",),
    "cache_audio_read_tokens": ("cache_read_audio_tokens",),
    "web_searches": ("web_search_count",),
}
# Parts of the counts above that we do not tell apart.
NOT_KEPT = {
    *("input_text_tokens", "output_text_tokens", "cache_text_read_tokens", "cache_image_read_tokens"),
    *("cache_video_read_tokens", "input_tool_tokens", "input_text_tool_tokens"),
}


class Form(NamedTuple):
    """How a body of one API is known by its usage, how many are, what was cut away of it, who reads it as its own."""

    has: str
    bodies: int
    shape: str
    reader: tuple[str, str]  # genai-prices' provider and flavour
    cut_away: Body


CHAT = {"object": "chat.completion"}
FORMS = (  # the first that fits
    Form("usage.cache_read_input_tokens", 226, "anthropic_messages", ("anthropic", "default"), {"type": "message"}),
    Form("usage.input_tokens", 254, "openai_responses", ("openai", "responses"), {"object": "response"}),
    Form("usage.cost", 39, "openrouter", ("openrouter", "chat"), {"id": "gen-1", **CHAT}),
    Form("usage.completion_tokens", 367, "openai_chat", ("openai", "chat"), {"id": "chatcmpl-1", **CHAT}),
    Form("usage.prompt_tokens", 3, "openai_embeddings", ("openai", "embeddings"), {"object": "list"}),
    Form("usage.inputTokens", 220, "bedrock_converse", ("aws", "default"), {"stopReason": "end_turn"}),
    Form("usageMetadata.promptTokenCount", 451, "gemini", ("google", "default"), {}),
    Form("usage.billed_units", 13, "cohere", ("cohere", "default"), {}),
    Form("meta.billed_units", 4, "cohere", ("cohere", "embeddings"), {}),
)


def form_of(body: Body) -> Form:
    return next(form for form in FORMS if find(body, form.has) is not None)


def differing(some: Counts, others: Counts) -> set[str]:
    return {name for name in OURS if some[name] != others[name]}


def reads_less(_: Body, right: Counts, read: Counts, but_for: str = "") -> bool:
    return not any(read[name] for name in differing(right, read) - {but_for})


def is_sum_of_iterations(body: Body, ours: Counts, read: Counts) -> bool:
    told: Counts = Counter()
    for each in body["usage"].get("iterations", ()):
        cached, written = each["cache_read_input_tokens"], each["cache_creation_input_tokens"]
        told["input_tokens"] += each["input_tokens"] + cached + written
        told["cache_read_tokens"] += cached
        told["cache_write_tokens"] += written
        told["cache_write_5m_tokens"] += each["cache_creation"]["ephemeral_5m_input_tokens"]
        told["output_tokens"] += each["output_tokens"]
    return all(ours[name] == told[name] for name in told) and differing(ours, read) <= told.keys()


def is_lifetime_of_bedrock(body: Body, ours: Counts, read: Counts) -> bool:
    details = body["usage"].get("cacheDetails", ())
    short = sum(each["inputTokens"] for each in details if each["ttl"] == "5m")
    return differing(ours, read) == {"cache_write_5m_tokens"} and ours["cache_write_5m_tokens"] == short


def is_thought_of_gemini(body: Body, ours: Counts, read: Counts) -> bool:
    usage = body["usage"]
    is_rest = ours["output_tokens"] == usage.get("total_tokens", 0) - ours["input_tokens"]
    names = {"output_tokens", "output_reasoning_tokens"}
    return body.get("model", "").startswith("gemini-") and is_rest and differing(ours, read) == names


def is_video_of_openrouter(body: Body, ours: Counts, read: Counts) -> bool:
    video = find(body, "usage.prompt_tokens_details.video_tokens")
    return differing(ours, read) == {"input_video_tokens"} and ours["input_video_tokens"] == video


def is_not_billed(body: Body, right: Counts, read: Counts) -> bool:
    units, usage = ("input_tokens", "output_tokens"), body.get("usage", {})
    is_all = all(usage.get("tokens", {}).get(name) == read[name] >= right[name] for name in units)
    return is_all and differing(right, read) <= {*units, "cache_read_tokens"}


def is_cache_left_out(body: Body, right: Counts, read: Counts) -> bool:
    usage = body.get("usage", {})
    is_uncached = "cache_read_input_tokens" in usage and usage["input_tokens"] == read["input_tokens"]
    is_less = read["input_tokens"] < right["input_tokens"]
    return is_uncached and is_less and reads_less(body, right, read, "input_tokens")


def is_reasoning_twice(body: Body, right: Counts, read: Counts) -> bool:
    usage = body.get("usage", {})
    is_inside = usage.get("total_tokens") == right["input_tokens"] + right["output_tokens"]
    is_twice = read["output_tokens"] - right["output_tokens"] == right["output_reasoning_tokens"] > 0
    return is_inside and is_twice and reads_less(body, right, read, "output_tokens")


class Rule(NamedTuple):
    """A difference: why we are right, of how many bodies, whether it is that of (body, what is right, what is read)."""

    why: str
    bodies: int
    holds: Callable[[Body, Counts, Counts], bool]


# Between us and the reading by the API that a body is of.
OWN = {
    "iterations": Rule(
        "Anthropic's numbers on top leave out compactions, and advisors, which are other models: all are billed",
        5,
        is_sum_of_iterations,
    ),
    "lifetimes": Rule(
        "Bedrock tells which cache writes live for 5 minutes; genai-prices reads their sum", 4, is_lifetime_of_bedrock
    ),
    "thoughts": Rule(
        "Google's answer in OpenAI's form counts thoughts in its total alone; they are billed as output",
        2,
        is_thought_of_gemini,
    ),
    "video": Rule(
        "OpenRouter tells which input is video; genai-prices does not read it there", 1, is_video_of_openrouter
    ),
}
# Between what is right of the two and a reading by another API, which the body is not of.
ANOTHERS = {
    "less": Rule("genai-prices looks for fewer counts in what the other API answers", 538, reads_less),
    "not billed": Rule("Cohere's `tokens` include those that it adds and does not bill", 13, is_not_billed),
    "cache left out": Rule(
        "Anthropic's input leaves cached tokens out, that of Responses has them", 15, is_cache_left_out
    ),
    "reasoning twice": Rule(
        "xAI counts reasoning on top of the output; the total tells that here it is in it", 73, is_reasoning_twice
    ),
}
EQUAL = "equal"


@cache
def data() -> list[dict[str, Any]]:
    return json.loads(DATA.read_text())


def record_of(body: Body) -> Body:
    return form_of(body).cut_away | {name: value for name, value in body.items() if name != "file"}


@cache
def told() -> list[list[dict[str, Any]]]:
    """The calls of each body."""
    records = [record_of(row["body"]) for row in data()]
    of_shape: dict[str, tuple[Shape, list[int]]] = {}
    for number, record in enumerate(records):
        shape = recognise([record])
        assert shape is not None and shape.name == form_of(record).shape, data()[number]["body"]
        of_shape.setdefault(shape.name, (shape, []))[1].append(number)
    calls: list[list[dict[str, Any]]] = [[] for _ in records]
    for shape, numbers in of_shape.values():
        for call in calls_of(shape, lines([records[number] for number in numbers], shape.fields)).to_dicts():
            calls[numbers[call["line_number"] - 1]].append(call)
    return calls


def counts_of(calls: list[dict[str, Any]]) -> Counts:
    return Counter({name: sum(call[column] or 0 for call in calls for column in ours) for name, ours in OURS.items()})


def rule_of(rules: dict[str, Rule], body: Body, right: Counts, read: Counts) -> str:
    """The name of the one rule that explains how `read` differs from what is right."""
    if not differing(right, read):
        return EQUAL
    names = [name for name, rule in rules.items() if rule.holds(body, right, read)]
    assert len(names) == 1, (body, names, {name: (right[name], read[name]) for name in differing(right, read)})
    return names[0]


def own_reading(row: dict[str, Any]) -> int:
    reader = form_of(row["body"]).reader
    readers = [{(by["provider_id"], by["api_flavor"]) for by in each["extractors"]} for each in row["extracted"]]
    return next(number for number, names in enumerate(readers) if reader in names)


def explained(row: dict[str, Any], calls: list[dict[str, Any]]) -> list[str]:
    """For each reading of a body, its own first, the rule by which we differ from it."""
    body, ours = row["body"], counts_of(calls)
    readings = [Counter(each["usage"]) for each in row["extracted"]]
    own = readings.pop(own_reading(row))
    rule = rule_of(OWN, body, ours, own)
    right = ours if rule == EQUAL else own
    return [rule, *(rule_of(ANOTHERS, body, right, read) for read in readings)]


def test_every_body_holds_usage_that_we_read() -> None:
    calls = [call for calls in told() for call in calls]
    assert {call["verdict"] for call in calls} == {None}
    # else the call would not be priced
    assert not [call for call in calls if call["input_tokens"] is None or call["output_tokens"] is None]
    assert Counter(form_of(row["body"]).has for row in data()) == {form.has: form.bodies for form in FORMS}


def test_every_count_of_genai_prices_is_compared() -> None:
    assert {name for row in data() for each in row["extracted"] for name in each["usage"]} <= {*OURS, *NOT_KEPT}


def test_our_counts_are_those_of_genai_prices_but_for_what_is_explained() -> None:
    rules = [explained(row, calls) for row, calls in zip(data(), told(), strict=True)]
    assert sum(map(len, rules)) == sum(len(row["extracted"]) for row in data()) == READINGS
    own = Counter(names[0] for names in rules)
    anothers = Counter(name for names in rules for name in set(names[1:]) - {EQUAL})
    assert own.pop(EQUAL) == len(data()) - own.total()
    assert own == {name: rule.bodies for name, rule in OWN.items()}
    assert anothers == {name: rule.bodies for name, rule in ANOTHERS.items()}
