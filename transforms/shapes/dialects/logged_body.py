"""A provider's response, or a request, as a gateway logs it: the text of the HTTP body, perhaps cut off.

A whole body is a JSON object. A stream's is the text of its events; the object that it would have been is put together
from what they tell of it: Chat Completions repeat id and model on each chunk and tell usage on one, Responses' events
hold the response so far, Anthropic's start holds the message and its deltas what is to be replaced in its usage (its
output is provisional until then, see anthropic_stream).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from transforms.shapes.paths import as_text, find, loads

Body = dict[str, Any]
_PROVISIONAL = ("output_tokens", "output_tokens_details")


def fields_of(texts: Iterable[str | None], paths: Sequence[str]) -> pl.DataFrame:
    """The text of each path in the body that each of `texts` holds; null where it holds none that can be read."""
    bodies = (body_of(text) if text else None for text in texts)
    rows = [[_unicode(as_text(find(body, path))) for path in paths] for body in bodies]
    return pl.DataFrame(rows, schema=dict.fromkeys(paths, pl.String), orient="row")


def body_of(text: str) -> Body | None:
    found = _object(text)
    return found if found is not None else _of_stream(text)


def _of_stream(text: str) -> Body | None:
    lines = text.splitlines() if text.lstrip().startswith(("data:", "event:")) else []
    events = [event for line in lines if line.startswith("data:") and (event := _object(line[5:])) is not None]
    body: Body = {}
    for told in map(_told_by, events):
        usages = [usage for usage in (body.get("usage"), told.get("usage")) if isinstance(usage, dict)]
        body |= _known(told)
        if usages:
            body["usage"] = {key: value for usage in usages for key, value in _known(usage).items()}
    return body or None


def _told_by(event: Body) -> Body:
    """What an event of a stream tells of the whole body."""
    kind = str(event.get("type"))
    if kind == "message_start":
        message = _dict(event.get("message"))
        usage = {key: value for key, value in _dict(message.get("usage")).items() if key not in _PROVISIONAL}
        return {**message, "usage": usage}
    if kind == "message_delta":
        return {"usage": event.get("usage")}
    return _dict(event.get("response")) if kind.startswith("response.") else event if "object" in event else {}


def _known(given: Body) -> Body:
    return {key: value for key, value in given.items() if value is not None}


def _dict(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def _object(text: str) -> Body | None:
    try:
        found = loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _unicode(text: str | None) -> str | None:
    """`text` without halves of surrogate pairs, which JSON can spell and no column can hold."""
    return text and text.encode(errors="replace").decode()
