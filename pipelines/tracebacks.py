"""What is printed of an error that nobody expected: types and places. What it says may cite a log or hold a secret."""

import sys
import traceback

UNTOLD = (
    "What the errors say is left out, since it may cite a log; set PYTHONDEVMODE=1 to see it, where that is harmless."
)


def told(error: BaseException) -> str:
    """The chain of errors, the first first, each with its frames (file, line, function) and its type."""
    if sys.flags.dev_mode:
        return "".join(traceback.format_exception(error))
    chain: list[BaseException] = []
    after: BaseException | None = error
    while after is not None and after not in chain:
        chain.insert(0, after)
        after = after.__cause__ or (None if after.__suppress_context__ else after.__context__)
    lines = [line for one in chain for line in _of_one(one)]
    return "\n".join([*lines, UNTOLD]) + "\n"


def _of_one(error: BaseException) -> list[str]:
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    places = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames]
    kind = type(error)
    return ["Traceback (most recent call last):", *places, f"{kind.__module__}.{kind.__qualname__}"]
