"""The frames that scenarios cross a room's boundary in; conventions as in schemas."""

import polars as pl

from transforms.schemas import PRICE_REFS, TOKEN_CLASSES

# What a scenario's steps may look at in the usage cube, beside the price ref.
SCOPE_COLUMNS = {
    "feature": pl.String,
    "user_id": pl.String,
    "customer_id": pl.String,
    "environment": pl.String,
    "day": pl.Date,
}

# The scenarios of a build, "actual" first.
SCENARIOS = {
    "scenario": pl.String,
    "scenario_order": pl.Int32,
    "reason": pl.String,
    "is_scoped": pl.Boolean,  # it does more than change the rates of whole price refs: see SCENARIO_SCOPES
    "has_activity": pl.Boolean,  # it changes how much is done
    **{f"by_{name}": pl.Boolean for name in SCOPE_COLUMNS},  # which of these its steps look at
}

# What a scoped scenario does with the calls of each of its scopes; one row, or three where the tokens change with them.
SCENARIO_SCOPES = {
    "scenario_order": pl.Int32,
    **PRICE_REFS,
    **SCOPE_COLUMNS,  # null where the scenario does not look
    "bound": pl.String,  # exact; or low, point and high
    "variant": pl.Int32,  # which changes of rates
    "is_moved": pl.Boolean,  # the calls go to another price ref:
    **{f"to_{name}": dtype for name, dtype in PRICE_REFS.items()},
    "context_ratio_nano": pl.Int64,  # input tokens of a moved call over those before, in 1e-9
    "output_ratio_nano": pl.Int64,  # the same of output tokens
    "is_lost": pl.Boolean,  # the calls are no longer made
    "activity_nano": pl.Int64,  # how much of what was done is done, in 1e-9
}

# RATE_CARDS under each scenario, exact: atto-USD per unit. The scenario "actual" is the cards themselves.
SCENARIO_RATES = {
    "scenario": pl.String,
    "scenario_order": pl.Int32,
    "variant": pl.Int32,  # 0 in a scenario that is not scoped
    "card_id": pl.Int64,
    "adds_parts": pl.Boolean,  # a part has a rate that it has not on the card
    **{f"{name}_rate": pl.Int128 for name in TOKEN_CLASSES},  # atto-USD per unit
}

# The terms of the contract that a scenario leaves.
LEFT_TERMS = {"scenario_order": pl.Int32, "term_id": pl.Int64}

# Which calls move to which model in a scenario, and with how many tokens.
SCENARIO_SWAPS = {
    "scenario_order": pl.Int32,
    "feature": pl.String,  # null: every one, or unattributed
    "from_provider": pl.String,
    "from_model": pl.String,
    "to_provider": pl.String,
    "to_model": pl.String,
    "tokens": pl.String,  # measured, given, same tokens assumed
    "input_ratio_low": pl.Float64,  # tokens after over tokens before; 1: the same
    "input_ratio": pl.Float64,
    "input_ratio_high": pl.Float64,
    "output_ratio_low": pl.Float64,
    "output_ratio": pl.Float64,
    "output_ratio_high": pl.Float64,
    "from_action_count": pl.Int64,  # measured by, of each model; null: not measured
    "to_action_count": pl.Int64,
    "first_day": pl.Date,
    "last_day": pl.Date,
}
