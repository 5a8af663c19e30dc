-- one row per scoped scenario, cell of the usage cube and bound: where its calls go; for the length of a build
-- scope | order of the scenario
-- cell_id | cell of the usage cube
-- bound | exact; or low, point and high, where the tokens change and with them, perhaps, the context band
-- variant | which changes of rates, see source.scenario_rates
-- card_id | rate card that prices the calls; null: none
-- is_priced | whether the card may price them, or nothing is to be priced
-- is_moved | the calls go to another price ref
-- is_lost | the calls are no longer made
-- activity_nano | so much of what was done is done, in 1e-9
-- input_ratio_nano | input tokens over those before, in 1e-9
-- output_ratio_nano | output tokens over those before, in 1e-9
-- provider | who serves the calls there
-- priced_model | the model there, as its price is looked up
with masked_cells as (
    select
        scenarios.scenario_order as scope,
        cells.cell_id,
        cells.provider,
        cells.priced_model,
        cells.service_tier,
        cells.region,
        cells.is_batch,
        case when scenarios.by_feature then cells.feature end as feature,
        case when scenarios.by_user_id then cells.user_id end as user_id,
        case when scenarios.by_customer_id then cells.customer_id end as customer_id,
        case when scenarios.by_environment then cells.environment end as environment,
        case when scenarios.by_day then cells.day end as day,
        cells.card_id,
        is_priced(cells.price_status) or (cells.price_status = 'class_unpriced' and cells.card_id is not null)
            as is_priced,
        -- What is not billed by the token stays where it is, and what cannot be priced for want of usage, too.
        cells.price_status in (
            'not_billed', 'billed_by_time', 'time_unknown', 'usage_unknown', 'inconsistent_usage'
        ) as is_fixed,
        -- The instant, second and tokens stand for all calls of the cell: no card of any ref begins or ends between them.
        case
            when cells.day is null then 9223372036854775806
            else greatest(epoch_us(cells.day), coalesce(epoch_us(cells.priced_since), -9223372036854775807))
        end as lookup_us,
        coalesce(cells.time_band, -1) as lookup_second,
        cells.context_band + 1 as lookup_tokens,
        cells.least_input_tokens,
        cells.most_input_tokens,
        cells.input_tokens::double / cells.call_count as mean_input_tokens,
    from usage_cube as cells
    inner join source.scenarios as scenarios
        on scenarios.is_scoped
),

scoped_cells as (
    select
        masked_cells.scope,
        masked_cells.cell_id,
        masked_cells.card_id as own_card_id,
        masked_cells.is_priced,
        masked_cells.lookup_us,
        masked_cells.lookup_second,
        scopes.bound,
        scopes.variant,
        scopes.is_lost,
        scopes.activity_nano,
        case when masked_cells.is_fixed then 1000000000 else scopes.context_ratio_nano end as input_ratio_nano,
        case when masked_cells.is_fixed then 1000000000 else scopes.output_ratio_nano end as output_ratio_nano,
        scopes.is_moved and not masked_cells.is_fixed and not scopes.is_lost as is_moved,
        case when is_moved then scopes.to_provider else masked_cells.provider end as provider,
        case when is_moved then scopes.to_model else masked_cells.priced_model end as priced_model,
        scopes.to_service_tier,
        scopes.to_region,
        scopes.to_is_batch,
        greatest(1, case scopes.bound
            when 'exact' then masked_cells.lookup_tokens
            when 'low' then floor(masked_cells.least_input_tokens::hugeint * scopes.context_ratio_nano / 1000000000)
            when 'high' then ceil(masked_cells.most_input_tokens::hugeint * scopes.context_ratio_nano / 1000000000)
            else round(masked_cells.mean_input_tokens * scopes.context_ratio_nano / 1000000000)
        end)::bigint as lookup_tokens,
    from masked_cells
    inner join source.scenario_scopes as scopes
        on masked_cells.scope = scopes.scenario_order
        and masked_cells.provider is not distinct from scopes.provider
        and masked_cells.priced_model is not distinct from scopes.model
        and masked_cells.service_tier is not distinct from scopes.service_tier
        and masked_cells.region is not distinct from scopes.region
        and masked_cells.is_batch is not distinct from scopes.is_batch
        and masked_cells.feature is not distinct from scopes.feature
        and masked_cells.user_id is not distinct from scopes.user_id
        and masked_cells.customer_id is not distinct from scopes.customer_id
        and masked_cells.environment is not distinct from scopes.environment
        and masked_cells.day is not distinct from scopes.day
),

rate_cards as (
    -- Open bounds as numbers, as in calls.
    select
        *,
        coalesce(epoch_us(valid_from), -9223372036854775807) as from_us,
        coalesce(epoch_us(valid_to), 9223372036854775807) as to_us,
        case when week_second_from = 0 and week_second_to = 604800 then -1 else week_second_from end as from_second,
        coalesce(context_up_to, 9223372036854775807) as context_limit,
    from source.rate_cards
),

moved_cells as (
    select
        cells.* exclude (is_priced, own_card_id),
        case
            when cells.is_lost then null
            when cells.is_moved then rate_cards.card_id
            else cells.own_card_id
        end as card_id,
        case
            when cells.is_lost then true
            when not cells.is_moved then cells.is_priced
            else rate_cards.price_status <> 'billed_by_time'
        end as is_priced,
    from scoped_cells as cells
    left join rate_cards
        on cells.is_moved
        and cells.provider is not distinct from rate_cards.provider
        and cells.priced_model is not distinct from rate_cards.model
        and cells.to_service_tier is not distinct from rate_cards.service_tier
        and cells.to_region is not distinct from rate_cards.region
        and cells.to_is_batch is not distinct from rate_cards.is_batch
        and cells.lookup_us >= rate_cards.from_us
        and cells.lookup_us < rate_cards.to_us
        and cells.lookup_second >= rate_cards.from_second
        and cells.lookup_second < rate_cards.week_second_to
        and cells.lookup_tokens > rate_cards.context_above
        and cells.lookup_tokens <= rate_cards.context_limit
),

bounded_cells as (
    -- Low, point and high that come to the same are one, and exact.
    select
        *,
        min(coalesce(card_id, 0)) over cell = max(coalesce(card_id, 0)) over cell
        and min(variant) over cell = max(variant) over cell as is_exact,
    from moved_cells
    where bound <> 'exact'
    window cell as (partition by scope, cell_id)
),

told_cells as (
    select
        * exclude (is_exact) replace (case when is_exact then 'exact' else bound end as bound),
    from bounded_cells
    where not is_exact or bound = 'point'
    union all
    -- Most are, and need no window.
    select *
    from moved_cells
    where bound = 'exact'
)

select
    scope,
    cell_id,
    bound,
    variant,
    card_id,
    coalesce(is_priced, false) as is_priced,
    is_moved,
    is_lost,
    activity_nano,
    input_ratio_nano,
    output_ratio_nano,
    provider,
    priced_model,
from told_cells
