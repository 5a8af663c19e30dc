"""Labels that a caller sends along with a request (Vertex's `labels`, Bedrock's `requestMetadata`), and whom they name.

Both are free key-value pairs of text. A key that spells one of our attributes tells it; all others (a team, a cost
centre) are left to the user's own rules.
"""

import polars as pl

from transforms.shapes.fields import text

_SPELLINGS = {
    "action_id": ("action_id", "actionId", "session_id", "sessionId"),
    "feature": ("feature",),
    "user_id": ("user_id", "userId", "user"),
    "customer_id": ("customer_id", "customerId", "customer"),
    "environment": ("environment", "env"),
}


def fields(labels: str) -> tuple[str, ...]:
    """Paths within the labels; `labels` is what goes before a key: "requestMetadata."."""
    return tuple(f"{labels}{name}" for names in _SPELLINGS.values() for name in names)


def columns(*labels: str) -> dict[str, pl.Expr]:
    """The attributes that the labels tell, of several places the first."""
    return {
        attribute: text(*(f"{place}{name}" for place in labels for name in names))
        for attribute, names in _SPELLINGS.items()
    }
