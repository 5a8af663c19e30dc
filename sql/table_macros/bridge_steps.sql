-- one row per name of a dimension with calls in either of two periods of days: what it did, and what it cost when one thing after another is as in the second
-- bridge_steps(from_start, from_end, to_start, to_end, dimension := 'feature', only_labelled := false)
-- name | the feature, user, ... or unattributed; provider/model; all
-- from_user_count | known users of the first period
-- to_user_count | known users of the second
-- from_action_count | actions with a call in the first period; of only_labelled, those with an outcome, success or not
-- to_action_count | actions with a call in the second
-- from_success_count | of these in the first, actions whose latest outcome is a success
-- to_success_count | of these in the second
-- from_call_count | calls of the first period
-- to_call_count | calls of the second
-- from_unpriced_call_count | of these in the first, calls without a cost
-- to_unpriced_call_count | of these in the second
-- from_quantity | priced tokens of the first, and requests, searches and sessions where these have a price; null: none
-- to_quantity | priced tokens of the second, and the same; null: none
-- from_cost_pico | cost of the first period's priced calls in integer pico-USD; null: no call, or none is priced
-- at_users_pico | the same with the second period's users; known users in both periods only, else unchanged
-- at_actions_pico | and with its actions per user
-- at_calls_pico | and its calls per action
-- at_tokens_pico | and its tokens per call
-- at_models_pico | and its shares of models, with their service tiers, regions, batches and context bands
-- at_classes_pico | and its shares of token classes within each of these: the second period's usage at the first's prices
-- to_cost_pico | and its prices: cost of the second period's priced calls; null: no call, or none is priced
with periods as (
    select
        false as is_later,
        from_start::date as first_day,
        from_end::date as last_day,
    union all
    select
        true as is_later,
        to_start::date as first_day,
        to_end::date as last_day,
),

latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

action_counts as (
    -- Distinct in every row: an action over two features is in both, and once in all; over both periods, in both.
    select
        name_in(dimension, ledger) as name,
        count(distinct ledger.action_id) filter (where not periods.is_later) as from_action_count,
        count(distinct ledger.action_id) filter (where periods.is_later) as to_action_count,
        count(distinct ledger.action_id) filter (where latest_outcomes.is_success and not periods.is_later)
            as from_success_count,
        count(distinct ledger.action_id) filter (where latest_outcomes.is_success and periods.is_later)
            as to_success_count,
    from source.ledger as ledger
    inner join periods
        on ledger.day between periods.first_day and periods.last_day
    left join latest_outcomes
        on ledger.action_id = latest_outcomes.action_id
    where not only_labelled or latest_outcomes.is_success is not null
    group by name
),

cells as (
    select
        name_in(dimension, usage_cube) as name,
        periods.is_later,
        usage_cube.*,
    from usage_cube
    inner join periods
        on usage_cube.day between periods.first_day and periods.last_day
    where not only_labelled or usage_cube.is_success is not null
),

totals as (
    select
        name,
        count(distinct user_id) filter (where not is_later) as from_user_count,
        count(distinct user_id) filter (where is_later) as to_user_count,
        -- No cell of a period is a known zero of calls.
        coalesce(sum(call_count) filter (where not is_later), 0)::bigint as from_call_count,
        coalesce(sum(call_count) filter (where is_later), 0)::bigint as to_call_count,
        coalesce(sum(call_count) filter (where cost_pico is null and not is_later), 0)::bigint
            as from_unpriced_call_count,
        coalesce(sum(call_count) filter (where cost_pico is null and is_later), 0)::bigint as to_unpriced_call_count,
        sum(cost_pico) filter (where not is_later) as from_cost_pico,
        sum(cost_pico) filter (where is_later) as to_cost_pico,
    from cells
    group by name
),

rate_cards as (
    select
        *,
        min(card_id) over priced_alike as ref_id,
        list(context_above) over priced_alike as context_bounds,
    from source.rate_cards
    window priced_alike as (partition by provider, model, service_tier, region, is_batch)
),

used_classes as (
    select
        cells.name,
        cells.is_later,
        rate_cards.ref_id,
        -- The bands of this model's own cards: those of others would tell traffic apart that costs the same.
        list_max(list_filter(rate_cards.context_bounds, lambda bound: bound <= cells.context_band)) as context_band,
        unnest(class_costs(cells, rate_cards), recursive := true),
    from cells
    -- What is not billed has a cost of zero and no card: its tokens are none that anything is paid for.
    inner join rate_cards
        on cells.card_id = rate_cards.card_id
    where cells.cost_pico is not null
),

classes as (
    select
        name,
        ref_id,
        context_band,
        token_class,
        sum(quantity) filter (where not is_later) as from_quantity,
        sum(quantity) filter (where is_later) as to_quantity,
        sum(cost) filter (where not is_later) as from_cost,
        sum(cost) filter (where is_later) as to_cost,
    from used_classes
    where quantity > 0
    group by name, ref_id, context_band, token_class
),

priced_classes as (
    select
        *,
        -- The second period's usage at the first's price; at its own, where the first has none of the class.
        case
            when to_quantity is null then {'whole': 0::hugeint, 'rest': 0::hugeint}
            when from_quantity is null then {'whole': to_cost, 'rest': 0::hugeint}
            else scaled(from_cost, to_quantity, from_quantity)
        end as at_first_price,
    from classes
),

models as (
    select
        name,
        sum(from_quantity) as from_quantity,
        sum(to_quantity) as to_quantity,
        sum(at_first_price.whole) as at_first_price_whole,
        sum(at_first_price.rest) as at_first_price_rest,
        -- The second period's tokens at the first's mean price of the model; at its own, where the first has none of it.
        case
            when sum(to_quantity) is null then {'whole': 0::hugeint, 'rest': 0::hugeint}
            when sum(from_quantity) is null then {'whole': sum(to_cost), 'rest': 0::hugeint}
            else scaled(sum(from_cost), sum(to_quantity), sum(from_quantity))
        end as at_first_mix,
    from priced_classes
    group by name, ref_id, context_band
),

mixes as (
    select
        name,
        sum(from_quantity) as from_quantity,
        sum(to_quantity) as to_quantity,
        nearest(sum(at_first_mix.whole), sum(at_first_mix.rest)) as at_models_pico,
        nearest(sum(at_first_price_whole), sum(at_first_price_rest)) as at_classes_pico,
    from models
    group by name
)

select
    totals.name,
    totals.from_user_count,
    totals.to_user_count,
    action_counts.from_action_count,
    action_counts.to_action_count,
    action_counts.from_success_count,
    action_counts.to_success_count,
    totals.from_call_count,
    totals.to_call_count,
    totals.from_unpriced_call_count,
    totals.to_unpriced_call_count,
    mixes.from_quantity,
    mixes.to_quantity,
    totals.from_cost_pico,
    case
        when totals.from_user_count = 0 or totals.to_user_count = 0 then totals.from_cost_pico
        else scaled_to_nearest(totals.from_cost_pico, totals.to_user_count, totals.from_user_count)
    end as at_users_pico,
    scaled_to_nearest(totals.from_cost_pico, action_counts.to_action_count, action_counts.from_action_count)
        as at_actions_pico,
    scaled_to_nearest(totals.from_cost_pico, totals.to_call_count, totals.from_call_count) as at_calls_pico,
    -- Where one of the periods has no priced tokens, all that the other's cost is their number's.
    case
        when mixes.from_quantity is null then totals.to_cost_pico
        else scaled_to_nearest(totals.from_cost_pico, coalesce(mixes.to_quantity, 0), mixes.from_quantity)
    end as at_tokens_pico,
    coalesce(mixes.at_models_pico, totals.to_cost_pico) as at_models_pico,
    coalesce(mixes.at_classes_pico, totals.to_cost_pico) as at_classes_pico,
    totals.to_cost_pico,
from totals
inner join action_counts
    on totals.name = action_counts.name
left join mixes
    on totals.name = mixes.name
