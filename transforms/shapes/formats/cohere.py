"""Cohere: a response of its chat, embed or rerank API, version 1 or 2, bare or with its request.

`billed_units` are what is billed; `tokens` include those that Cohere adds itself and does not bill, so they are left
alone. `cached_tokens` counts among `tokens`, not among billed units: how many of the billed tokens were read from the
cache is unknown. Version 1 writes usage to `meta`, version 2 to `usage`. Counts are floats. What is billed names each
unit that there is: an embedding, which has input alone, has no output; a rerank is billed by search units, which are no
tokens: its usage is unknown. The response names neither its model nor its time: the model is the request's.
Source: Cohere API reference and pricing guide.
"""

import polars as pl

from transforms.shapes.dialects import exchange
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = {
    name: (f"usage.billed_units.{name}", f"meta.billed_units.{name}") for name in ("input_tokens", "output_tokens")
}
_PATHS = tuple(path for paths in _COUNTS.values() for path in paths)
_IDS = ("id", "response_id", "generation_id")
_BODY = (*_IDS, *_PATHS)
_KINDS = {"time": INSTANT_KINDS["any"], **exchange.KINDS, **dict.fromkeys(_PATHS, COUNT)}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    answered = text(*_IDS).is_not_null() | pl.any_horizontal(pl.col(path).is_not_null() for path in _PATHS)
    billed = {name: pl.coalesce(paths) for name, paths in _COUNTS.items()}
    nothing_out = pl.when(billed["input_tokens"].is_not_null()).then(pl.lit(0, pl.Int64))
    columns = exchange.columns() | {
        "provider": pl.lit("cohere"),
        "model": text("request.model"),
        "response_id": text(*_IDS),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        **billed,
        "output_tokens": pl.coalesce(billed["output_tokens"], nothing_out),
    }
    nothing = ~answered & text("error", "response.error", "request.model").is_null()
    lines = typed(exchange.unwrapped(lines, _BODY), _KINDS)
    return to_calls(lines, "cohere", columns, reasons={"not a Cohere response": nothing})


COHERE = Shape("cohere", (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS), matcher("cohere"), calls)
