"""The frames that computed cost is compared with a bill in; the conventions are those of `schemas`."""

import polars as pl

# BILL, one row for each charge (or usage) that a provider's bill tells of LLM calls. Null in a dimension:
# the bill does not split by it.
BILL = {
    "source_file": pl.String,
    "row_number": pl.Int64,  # line of a CSV file, row of a Parquet file, result of a JSON file; 1-based
    "provider": pl.String,  # genai-prices' provider id
    "day": pl.Date,  # UTC; null: the whole period
    "period_start": pl.Date,  # inclusive
    "period_end": pl.Date,  # exclusive
    "model": pl.String,  # as the bill names it
    "token_class": pl.String,  # one of TOKEN_CLASSES, or cache_write where the bill does not tell the lifetime
    "quantity": pl.Int64,  # tokens, or counts; null: not told
    "billed_pico": pl.Int64,  # null: an export of usage, without money
    "description": pl.String,  # as the bill words it
}

# COMPUTED, what `cost_by_class` holds, one row for each day, provider, model and class.
COMPUTED = {
    "day": pl.Date,
    "provider": pl.String,
    "model": pl.String,
    "token_class": pl.String,
    "quantity": pl.Int64,
    "unpriced_quantity": pl.Int64,  # the part of it that has no price; null: none
    "cost_pico": pl.Int128,  # of the priced part; null: nothing of it has a price
}

# RECONCILIATION, one row for each day, provider, model and class that the bill or the log tells of. The gap
# is billed less computed, and exactly missing + unpriced + price + quantity + residual.
RECONCILIATION = {
    "day": pl.Date,  # null: the bill tells whole periods only
    "provider": pl.String,
    "model": pl.String,  # as the log names it, where it does; null: the bill does not split by model
    "token_class": pl.String,  # null: the bill does not split by class
    "computed_pico": pl.Int128,  # null: without a price, or not in the log
    "billed_pico": pl.Int128,  # null: not in the bill
    "gap_pico": pl.Int128,  # null: the bill tells quantities only
    "computed_quantity": pl.Int64,
    "billed_quantity": pl.Int64,
    "cause": pl.String,  # one of CAUSES, several joined by "; "; null: no gap, or a residual only
    "price_change_share": pl.Float64,  # their rate over ours, less 1; null: not known
    "missing_pico": pl.Int128,  # day, model or class that one side does not have
    "unpriced_pico": pl.Int128,  # tokenspread has no price
    "price_pico": pl.Int128,  # billed quantity x (their rate - ours)
    "quantity_pico": pl.Int128,  # (their quantity - ours) x our rate
    "residual_pico": pl.Int128,  # not explained
}

# What `reconcile` leaves out of the comparison, with its money.
NOT_COMPARED = {
    "provider": pl.String,
    "reason": pl.String,
    "day_count": pl.Int64,
    "computed_pico": pl.Int128,  # null: nothing of it has a price
}
