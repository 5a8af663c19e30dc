"""Every log shape that we know, and how a log file's shape is recognised.

A new shape is a module here, a line in `_SHAPES` and one in the table of signatures, whose order is the one in which
shapes are tried.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from transforms.shapes import compound, signatures
from transforms.shapes.formats.anthropic_batch import ANTHROPIC_BATCH
from transforms.shapes.formats.anthropic_messages import ANTHROPIC_MESSAGES
from transforms.shapes.formats.anthropic_stream import ANTHROPIC_STREAM
from transforms.shapes.formats.apim_gateway import APIM_GATEWAY
from transforms.shapes.formats.apim_llm import APIM_LLM
from transforms.shapes.formats.azure_openai_requests import AZURE_OPENAI_REQUESTS
from transforms.shapes.formats.bedrock_converse import BEDROCK_CONVERSE
from transforms.shapes.formats.bedrock_invocation import BEDROCK_INVOCATION
from transforms.shapes.formats.claude_code import CLAUDE_CODE
from transforms.shapes.formats.claude_print import CLAUDE_PRINT
from transforms.shapes.formats.cloudflare_gateway import CLOUDFLARE_GATEWAY
from transforms.shapes.formats.cloudflare_logpush import CLOUDFLARE_LOGPUSH
from transforms.shapes.formats.codex import CODEX
from transforms.shapes.formats.codex_exec import CODEX_EXEC
from transforms.shapes.formats.cohere import COHERE
from transforms.shapes.formats.gemini import GEMINI
from transforms.shapes.formats.gemini_cli import GEMINI_CLI
from transforms.shapes.formats.gemini_cli_telemetry import GEMINI_CLI_TELEMETRY
from transforms.shapes.formats.helicone import HELICONE
from transforms.shapes.formats.kong import KONG
from transforms.shapes.formats.langfuse import LANGFUSE
from transforms.shapes.formats.langsmith import LANGSMITH
from transforms.shapes.formats.litellm_slp import LITELLM_SLP
from transforms.shapes.formats.litellm_spendlogs import LITELLM_SPENDLOGS
from transforms.shapes.formats.ollama import OLLAMA
from transforms.shapes.formats.openai_batch import OPENAI_BATCH
from transforms.shapes.formats.openai_chat import OPENAI_CHAT
from transforms.shapes.formats.openai_embeddings import OPENAI_EMBEDDINGS
from transforms.shapes.formats.openai_responses import OPENAI_RESPONSES
from transforms.shapes.formats.openrouter import OPENROUTER
from transforms.shapes.formats.openrouter_activity import OPENROUTER_ACTIVITY
from transforms.shapes.formats.openrouter_generation import OPENROUTER_GENERATION
from transforms.shapes.formats.otel import OTEL
from transforms.shapes.formats.phoenix import PHOENIX
from transforms.shapes.formats.portkey import PORTKEY
from transforms.shapes.formats.replicate import REPLICATE
from transforms.shapes.formats.tokenspread import TOKENSPREAD
from transforms.shapes.formats.vertex_request_response import VERTEX_REQUEST_RESPONSE
from transforms.shapes.paths import is_unicode
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import SIGNATURES

_SHAPES = (
    ANTHROPIC_BATCH,
    ANTHROPIC_MESSAGES,
    ANTHROPIC_STREAM,
    APIM_GATEWAY,
    APIM_LLM,
    AZURE_OPENAI_REQUESTS,
    BEDROCK_CONVERSE,
    BEDROCK_INVOCATION,
    CLAUDE_CODE,
    CLAUDE_PRINT,
    CLOUDFLARE_GATEWAY,
    CLOUDFLARE_LOGPUSH,
    CODEX,
    CODEX_EXEC,
    COHERE,
    GEMINI,
    GEMINI_CLI,
    GEMINI_CLI_TELEMETRY,
    HELICONE,
    KONG,
    LANGFUSE,
    LANGSMITH,
    LITELLM_SLP,
    LITELLM_SPENDLOGS,
    OLLAMA,
    OPENAI_BATCH,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
    OPENROUTER,
    OPENROUTER_ACTIVITY,
    OPENROUTER_GENERATION,
    OTEL,
    PHOENIX,
    PORTKEY,
    REPLICATE,
    TOKENSPREAD,
    VERTEX_REQUEST_RESPONSE,
)
ORDER: tuple[Shape, ...] = tuple(sorted(_SHAPES, key=lambda shape: list(SIGNATURES).index(shape.name)))

Record = dict[str, Any]
LEVELS = 3  # of what may be wrapped around a record: a log service's, an API's, an application's


def recognise(records: Sequence[Record], shapes: Sequence[Shape] = ORDER, levels: int = LEVELS) -> Shape | None:
    """The shape of a file's first `records`; one that no shape matches does not vote. None where no record is known.

    Records of several formats make a shape of them all, where it can be told line by line which one has a line; else
    the format of the most records has the file (of as many: the first of `shapes`). What lies under one of the records'
    keys has the file where more of it is known than of the records themselves. A weak signature counts beside strong
    ones of other records, or where most records have it.
    """
    strong, weak = _votes(records, shapes)
    inner, shape = _within(records, shapes, levels) if levels and sum(strong.values()) < len(records) else (0, None)
    if shape and inner > sum(strong.values()):
        return shape
    votes = strong + weak if strong or 2 * sum(weak.values()) >= len(records) else strong
    found = [shape for shape in shapes if votes[shape.name]]
    if len(found) > 1 and compound.can_be_mixed(found):
        return compound.mixed(found)
    return max(found, key=lambda shape: votes[shape.name]) if found else None


def _within(records: Sequence[Record], shapes: Sequence[Shape], levels: int) -> tuple[int, Shape | None]:
    """(how many records hold something that is known, under the key where the most do; their shape around that)."""
    best: tuple[int, Shape | None] = (0, None)
    for key in dict.fromkeys(key for record in records for key in record if key and is_unicode(key)):
        inside = compound.inside(records, key)
        shape = recognise(inside, shapes, levels - 1) if inside else None
        count = sum(map(shape.matches, inside)) if shape else 0
        if shape and count > best[0]:
            best = (count, compound.wrapped(shape, key, in_lists=compound.holds_lists(records, key), level=levels))
    return best


def _votes(records: Sequence[Record], shapes: Sequence[Shape]) -> tuple[Counter[str], Counter[str]]:
    """How many of the records each shape is the first to know, by strong signatures and by weak ones. The user's own
    shapes go before ours, which the table of signatures finds quicker than asking each. What is weakly of several
    shapes is of the one that other records are of: an `error` does not make a log of streams one of bodies too."""
    own = [shape for shape in shapes if shape.name not in SIGNATURES]
    ours = {shape.name for shape in shapes} & SIGNATURES.keys()
    strong: Counter[str] = Counter()
    weak: Counter[str] = Counter()
    doubtful: list[tuple[Record, str]] = []
    for record in records:
        name = next((shape.name for shape in own if shape.matches(record)), None)
        found = (name, False) if name else signatures.first_of(record, ours)
        if found and found[1]:
            doubtful.append((record, found[0]))
        elif found:
            strong[found[0]] += 1
    for record, first in doubtful:
        likely = signatures.first_of(record, ours & strong.keys())
        weak[likely[0] if likely else first] += 1
    return strong, weak
