"""Every frame that crosses a room's boundary, in walk order.

Conventions: `_tokens`, `_count`, `_seconds` are quantities, `_pico` is integer pico-USD (1e-12 USD), `_atto` is integer
atto-USD (1e-18 USD), `_at` is an instant in UTC, `day` is the UTC date of `called_at`. Null means unknown, never zero.
"""

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

# Step 2, LINES: one row for each record of a log file. Every field that the shape declares is a text column named by
# its path ("usage.prompt_tokens"). These columns come with them:
LINE_KEYS = {
    "content_id": pl.Int64,  # which log file (a content, whatever its name), see pipelines/ledger.py
    "line_number": pl.Int64,  # 1-based line (or row, or element) within that file
}

# Quantities of a call. Input counts include cached tokens, output counts include reasoning (as OpenTelemetry has it).
QUANTITIES = {
    "input_tokens": pl.Int64,  # all input: uncached + cache_read + the three cache_write classes
    "cache_read_tokens": pl.Int64,
    "cache_write_5m_tokens": pl.Int64,
    "cache_write_1h_tokens": pl.Int64,
    "cache_write_other_tokens": pl.Int64,  # written to a cache, lifetime not told
    "output_tokens": pl.Int64,  # all output, reasoning included
    "reasoning_tokens": pl.Int64,
    "input_audio_tokens": pl.Int64,  # audio, image and video tokens are parts of the counts above
    "output_audio_tokens": pl.Int64,
    "cache_read_audio_tokens": pl.Int64,
    "input_image_tokens": pl.Int64,
    "output_image_tokens": pl.Int64,
    "input_video_tokens": pl.Int64,
    "web_search_count": pl.Int64,
    "file_search_count": pl.Int64,
    "code_session_count": pl.Int64,  # containers of a code interpreter
    "compute_microseconds": pl.Int64,  # GPU or prediction time that is billed as such
}

# Whom a call belongs to; null is unattributed.
ATTRIBUTES = {
    "action_id": pl.String,
    "feature": pl.String,
    "user_id": pl.String,
    "customer_id": pl.String,
    "environment": pl.String,
}

# Step 3, CALLS: what a shape makes of lines. One row for each line, or more where one line tells of several calls.
CALLS = {
    **LINE_KEYS,
    "part": pl.Int32,  # 0, or which of the calls that one line tells of
    "verdict": pl.String,  # null: a call; "other": a line that tells of no call; else why the line is quarantined
    "shape": pl.String,
    "provider": pl.String,  # genai-prices' provider id where it has one
    "model": pl.String,  # as served
    "model_requested": pl.String,
    "response_id": pl.String,  # the provider's id of the response; null: the log gives none
    "called_at": INSTANT,
    # success, error (no answer came), refused (answered with an HTTP error: not billed), cache_hit (answered by a
    # gateway's cache: nothing was sent to the provider)
    "status": pl.String,
    "service_tier": pl.String,  # as served
    "region": pl.String,
    "is_batch": pl.Boolean,
    "latency_seconds": pl.Float64,
    "recorded_cost_pico": pl.Int64,  # what the log says the call cost; kept beside ours, never in its place
    "guard": pl.String,  # what does not add up in the counts, see fields.GUARDS; several are joined by "; "
    **QUANTITIES,
    **ATTRIBUTES,
    # an outcome that the call's own line tells; all null where it tells none
    "outcome": pl.String,
    "is_success": pl.Boolean,
    "value_pico": pl.Int64,
}

# Step 5 and 6, LEDGER: one row for each call, quantities only. key_hi and key_lo are the call's identity.
LEDGER = {
    "key_hi": pl.UInt64,
    "key_lo": pl.UInt64,
    "day": pl.Date,
    **{name: dtype for name, dtype in CALLS.items() if name not in ("verdict", "outcome", "is_success", "value_pico")},
}

# Outcomes, from their own file or inline: one row for each telling; the latest telling of (subject, outcome) counts.
OUTCOMES = {
    **LINE_KEYS,
    "subject_id": pl.String,  # an action_id, a response_id or a call_id
    "outcome": pl.String,
    "is_success": pl.Boolean,
    "value_pico": pl.Int64,
    "occurred_at": INSTANT,
}

# `part` is the record within a line of several records; null: the whole line.
QUARANTINE = {**LINE_KEYS, "part": pl.Int32, "reason": pl.String}

# What quarantined lines say, where that is to be kept: never published.
KEPT_LINES = {**LINE_KEYS, "line": pl.Binary, "kept_at": INSTANT}

# Revenue: one row for each amount; null in a dimension: not restricted to one.
REVENUE = {
    "period_start": pl.Date,  # inclusive; null: the whole log
    "period_end": pl.Date,  # exclusive
    "feature": pl.String,
    "user_id": pl.String,
    "customer_id": pl.String,
    "outcome": pl.String,
    "revenue_pico": pl.Int64,  # for the period; null in a per-outcome row
    "revenue_per_success_pico": pl.Int64,  # earned by each success of `outcome`; null in a per-period row
}

# What a price is asked for: each distinct combination in the ledger.
PRICE_REFS = {
    "provider": pl.String,
    "model": pl.String,
    "service_tier": pl.String,
    "region": pl.String,
    "is_batch": pl.Boolean,
}

# Classes that a rate is kept for. The main ones are disjoint within a call; `input` is the uncached rest.
MAIN_CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "output")
# Parts of a main class, with the class that they are priced as where no source has a price of their own.
PART_CLASSES = {
    "input_audio": "input",  # uncached audio
    "input_image": "input",
    "input_video": "input",
    "cache_read_audio": "cache_read",
    "output_audio": "output",
    "output_image": "output",
    "reasoning": "output",
}
COUNT_CLASSES = ("request", "web_search", "file_search", "code_session")
TOKEN_CLASSES = (*MAIN_CLASSES, *PART_CLASSES, *COUNT_CLASSES)
TIME_CLASS = "compute_second"  # time billed as such: a cost of its own, never part of the token cost
RATE_CLASSES = (*TOKEN_CLASSES, TIME_CLASS)
WEEK_SECONDS = 7 * 86_400

# Step 7, PRICE_BOOK: one row for each rate, bitemporal. Half-open: valid_from <= instant < valid_to; null = no bound.
PRICE_BOOK = {
    **PRICE_REFS,
    "token_class": pl.String,
    "context_above": pl.Int64,  # the rate holds for calls with input_tokens > context_above; 0: from the first token
    # time window in seconds of the UTC week from Monday 00:00, half-open; 0 and WEEK_SECONDS: always
    "week_second_from": pl.Int32,
    "week_second_to": pl.Int32,
    "valid_from": INSTANT,
    "valid_to": INSTANT,
    "recorded_at": INSTANT,  # when we learned it
    "superseded_at": INSTANT,  # when we learned better; null: still believed
    "rate_pico": pl.Int64,  # pico-USD per unit; null: known to be without a rate
    "price_status": pl.String,  # exact, prefix_match, fallback_provider, context_unmatched, free
    "source": pl.String,  # contract, correction, model-prices <version>, genai-prices <version>
    "source_url": pl.String,
    "note": pl.String,  # what must be known of the rate: rounded, as input, times a multiplier; null: nothing
}

# Rows of a price file: a price or a multiplier for every ref that it speaks of (null: any; `*` in a model: any text).
PRICE_RULES = {
    **PRICE_REFS,
    "token_class": pl.String,  # null: all, in a multiplier
    "context_above": pl.Int64,
    "week_second_from": pl.Int32,
    "week_second_to": pl.Int32,
    "valid_from": INSTANT,
    "valid_to": INSTANT,
    "rate_pico": pl.Int64,  # null in a multiplier
    "multiplier_nano": pl.Int64,  # in 1e-9, on what the layers below state; null in a price
    "source": pl.String,  # contract, correction
    "source_url": pl.String,
    "note": pl.String,
    "line_number": pl.Int64,  # of the price file: where the row, or its [[prices]], stands
}

# What a contract says beside prices per unit: one row for each line of the price file. The tiers of one schedule share
# a term_id. Half-open periods of whole UTC days: valid_from <= day < valid_to; null = no bound.
CONTRACT_TERMS = {
    "term_id": pl.Int64,
    # volume_tier (what is spent above a bound in a month costs `multiplier` of it), commitment (so much is due each
    # month, used or not), time (a bill for time, such as GPU hours)
    "kind": pl.String,
    "provider": pl.String,  # null: any
    "model": pl.String,  # `*`: any text
    "valid_from": pl.Date,  # the first of a month, except in a bill
    "valid_to": pl.Date,
    "above_pico": pl.Int128,  # of a tier, one of the two
    "above_tokens": pl.Int64,
    "multiplier_nano": pl.Int64,  # in 1e-9, of a tier
    "amount_pico": pl.Int128,  # committed each month; billed for the whole period
    "allocate_by": pl.String,  # of a bill: busy, tokens
    "output_weight": pl.Int64,  # input tokens that an output token weighs; null: not by tokens
    "source_url": pl.String,
    "note": pl.String,
    "line_number": pl.Int64,
}

# PRICE_BOOK as pricing uses it: one row for each card, a column for each class. Cards of one price ref do not overlap.
RATE_CARDS = {
    "card_id": pl.Int64,
    **PRICE_REFS,  # exactly as in the ledger (null matches null)
    "valid_from": INSTANT,
    "valid_to": INSTANT,
    "week_second_from": pl.Int32,
    "week_second_to": pl.Int32,
    "context_above": pl.Int64,  # input_tokens > context_above (a call with 0 input tokens is on the card with 0)
    "context_up_to": pl.Int64,  # input_tokens <= context_up_to; null: no bound
    **{f"{name}_rate": pl.Int64 for name in RATE_CLASSES},  # pico-USD per unit
    "price_status": pl.String,  # null: no class has a row here; another book has
}

# What other books say on the same cards: the user's contract left out, or what was believed at another time.
BOOK_RATES = {
    "book": pl.String,
    "card_id": pl.Int64,
    **{f"{name}_rate": pl.Int64 for name in RATE_CLASSES},  # pico-USD per unit
    "price_status": pl.String,  # null: the book says nothing of the card
}

# Where sources of prices disagree: one row for each source that states a rate in a cell in which not all are equal.
PRICE_DIFFERENCES = {
    "difference_id": pl.Int64,  # the rows of one price ref, class, context, window and span
    **PRICE_REFS,
    "token_class": pl.String,
    "context_above": pl.Int64,
    "context_up_to": pl.Int64,  # input_tokens <= context_up_to; null: no bound
    "week_second_from": pl.Int32,
    "week_second_to": pl.Int32,
    "valid_from": INSTANT,
    "valid_to": INSTANT,
    "source": pl.String,  # its name, without the version
    "rate_pico": pl.Int64,
    "price_status": pl.String,
    "source_url": pl.String,
    "note": pl.String,
}


def conform(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """`frame` with exactly the columns of `schema`, in its order; a missing column or a wrong type raises."""
    return frame.select(list(schema)).match_to_schema(pl.Schema(schema))


def empty(schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)
