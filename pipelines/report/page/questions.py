"""What the page asks the published tables, part by part. `{column}` is that of a `{dimension}` in usage_cube."""

SUBJECTS = """
select
    economics.* exclude (dimension),
    sensitivity.cost_usd as exact_cost_usd,
    sensitivity.cost_apart_usd,
    sensitivity.revenue_usd,
    sensitivity.margin_usd,
    sensitivity.break_even_change_share,
    sensitivity.one_percent_usd,
    sensitivity.verdict,
    sensitivity.holding_scenarios,
    sensitivity.failing_scenarios
from unit_economics as economics
inner join sensitivity
    on economics.dimension = sensitivity.dimension and economics.name = sensitivity.name
where economics.dimension = '{dimension}'
order by economics.cost_usd desc nulls last, economics.name
"""
DRIVERS = """
select name, kind, driver, cost_usd, exposure_share, break_even_change_share
from exposure
where dimension = '{dimension}' and cost_usd <> 0
order by name, kind, cost_usd desc, driver
"""
DAYS = """
select
    coalesce({column}, 'unattributed') as name,
    day,
    sum(cost_pico)::hugeint as cost_pico,
    sum(call_count)::bigint as call_count
from usage_cube
group by all
order by name, day nulls last
"""
# What a change of prices moves, cell by cell as the macro `reprice` has it: cost today, and that of labelled actions.
CELLS = """
select
    coalesce(feature, 'unattributed') as name,
    provider,
    priced_model as model,
    sum(cost_pico)::hugeint as cost_pico,
    (sum(cost_pico) filter (where is_success is not null))::hugeint as labelled_cost_pico
from usage_cube
where cost_pico is not null
group by all
order by all
"""
# Which models move when one is named, as the macro `reprice` has it: by its name or an alias, with or without a date.
MOVED_MODELS = r"""
with models as (
    select distinct provider, priced_model as model
    from usage_cube
    where cost_pico is not null and priced_model is not null
),

called as (
    select distinct
        names.provider,
        names.model,
        lower(aliases.name) as name
    from source.price_names as names
    cross join unnest([names.model, names.as_model]) as aliases(name)
),

asked as (
    select
        *,
        replace(regexp_escape(lower(model)), '\*', '.*') || '(?:[-@]\d{4}-?\d\d-?\d\d)?' as pattern
    from models
)

select distinct
    asked.provider,
    asked.model,
    moved.provider as moved_provider,
    moved.model as moved_model
from asked
inner join models as moved
    on asked.provider is null or lower(moved.provider) = lower(asked.provider)
inner join called
    on moved.provider is not distinct from called.provider and moved.model = called.model
where
    regexp_full_match(called.name, asked.pattern)
    or regexp_full_match(concat(lower(called.provider), '/', called.name), asked.pattern)
order by all
"""
TERMS_MOVE_WITH_SPEND = """
select coalesce(bool_or(kind in ('volume_tier', 'commitment') and adjustment_pico is not null), false)
from contract_terms
where scenario_order = 0
"""
SPEND = """
select
    day,
    concat_ws('/', provider, coalesce(model, 'unknown')) as model,
    sum(cost_pico)::hugeint as cost_pico,
    (sum(call_count) filter (where cost_pico is null))::bigint as unpriced_call_count
from usage_cube
group by all
order by all
"""
SWAPS = """
select
    feature, swapped_on, from_provider, from_model, to_provider, to_model, from_action_count, to_action_count,
    tokens_ratio, tokens_ratio_low, tokens_ratio_high, cost_ratio, cost_ratio_low, cost_ratio_high,
    success_change_share, success_change_low_share, success_change_high_share
from model_swaps()
order by swapped_on, feature
"""
PRICE_CHANGES = """
select distinct
    changes.changed_at::date as day,
    changes.provider,
    changes.model,
    changes.token_class,
    changes.context_above,
    changes.usd_per_million_before,
    changes.usd_per_million
from price_changes() as changes
inner join (select distinct provider, priced_model from usage_cube) as used
    on changes.provider = used.provider and changes.model = used.priced_model
order by all
"""
BRIDGE = """
select *
from bridge(date '{from_start}', date '{from_end}', date '{to_start}', date '{to_end}', dimension := 'feature')
order by abs(change_usd) desc nulls last, name
"""
CURVE = """
select rank, name, cost_usd, cumulative_share, name_share
from concentration_curve('{dimension}')
order by rank
"""
CONCENTRATION = "select * from concentration('{dimension}')"
UNATTRIBUTED = """
select
    coalesce(sum(call_count) filter (where feature is null), 0)::bigint as no_feature_call_count,
    coalesce(sum(call_count) filter (where user_id is null), 0)::bigint as no_user_call_count,
    coalesce(sum(call_count) filter (where customer_id is null), 0)::bigint as no_customer_call_count,
    coalesce(sum(call_count) filter (where day is null), 0)::bigint as no_day_call_count
from usage_cube
"""
BOOK = """
select
    source,
    count(*) as rate_count,
    max(recorded_at) as recorded_at
from price_book
where superseded_at is null
group by source
order by rate_count desc, source
"""
