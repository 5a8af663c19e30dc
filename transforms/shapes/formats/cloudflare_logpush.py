"""Cloudflare AI Gateway's Logpush feed (`ai_gateway_events`).

In clear it has the provider, the model and the HTTP status of a call, but no time, no id, no tokens and no cost; bodies
and metadata are encrypted. So its lines are no calls, and are quarantined with what to do about it: the same gateway's
log has all of it in clear. Source: public consumers of the feed; Cloudflare's own page names no more fields.
"""

import polars as pl

from transforms.shapes.fields import to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import fields_of, matcher

_ENCRYPTED = "encrypted, without time or tokens; export the AI Gateway's logs through Cloudflare's API instead"


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    return to_calls(typed(lines, {}), "cloudflare_logpush", {}, reasons={_ENCRYPTED: pl.lit(True)})


CLOUDFLARE_LOGPUSH = Shape("cloudflare_logpush", fields_of("cloudflare_logpush"), matcher("cloudflare_logpush"), calls)
