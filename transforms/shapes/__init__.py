"""Every log shape that we know, and how a log file's shape is recognised.

A new shape is a module here and a line in ORDER: specific before general, since the first that matches a record has it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from transforms.shapes.anthropic_messages import ANTHROPIC_MESSAGES
from transforms.shapes.claude_code import CLAUDE_CODE
from transforms.shapes.litellm_slp import LITELLM_SLP
from transforms.shapes.litellm_spendlogs import LITELLM_SPENDLOGS
from transforms.shapes.openai_chat import OPENAI_CHAT
from transforms.shapes.shape import Shape
from transforms.shapes.tokenspread import TOKENSPREAD

ORDER: tuple[Shape, ...] = (
    TOKENSPREAD,
    LITELLM_SLP,
    LITELLM_SPENDLOGS,
    OPENAI_CHAT,
    ANTHROPIC_MESSAGES,
    CLAUDE_CODE,
)

RECORDS_TO_ASK = 20


def recognise(records: Sequence[dict[str, Any]], shapes: Sequence[Shape] = ORDER) -> Shape | None:
    """The shape of most of `records` (a file's first ones); a record that no shape matches does not vote.

    Two shapes with as many votes: the one that comes first in `shapes`. None where no record is known.
    """
    votes = Counter(shape.name for record in records if (shape := _first_match(record, shapes)))
    return max(shapes, key=lambda shape: votes[shape.name]) if votes else None


def _first_match(record: dict[str, Any], shapes: Sequence[Shape]) -> Shape | None:
    return next((shape for shape in shapes if shape.matches(record)), None)
