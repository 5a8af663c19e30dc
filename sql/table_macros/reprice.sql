-- one row per name of a dimension (feature, user, customer, model, day), and one for all: what the same calls cost after prices change by a percentage; the change is of all prices, or of those of a provider, a model, a token class
-- reprice(percent, of_dimension := 'feature', of_provider := null, of_model := null, of_token_class := null)
-- dimension | as asked for; all in the row of all
-- name | the feature, user, ... or unattributed; provider/model; the UTC date, or unknown; all
-- cost_usd | cost of tokens and fees today (scenario actual); null: none is priced
-- repriced_cost_usd | cost after the change, the same to the last digit as that of a scenario with it
-- change_usd | repriced_cost_usd less cost_usd
-- cost_per_action_usd | repriced_cost_usd over all actions
-- cost_per_outcome_usd | repriced cost of the labelled actions over successes; null: no success
-- revenue_usd | revenue that can be told for exactly this group; null: none given, or not to be split so
-- margin_usd | revenue_usd less repriced_cost_usd and what stands apart, see costs_apart; at most this when calls are unpriced; null, too, where the prices given have volume tiers or a commitment, whose amounts change with the spend: `tokenspread reprice` reckons these anew
-- margin_share | margin_usd over revenue_usd; at most this when calls are unpriced
-- survives | whether margin_usd is at least zero; null: not known, or it is while calls are unpriced
-- unpriced_call_count | calls without a cost, missing in both costs
with told as (
    select try_cast(percent::varchar as decimal(28, 18)) as told_percent
),

asked as (
    -- A change of at most 4 decimals of a percent is whole millionths.
    select
        case
            when told_percent between -100 and 100000 and told_percent * 10000 = trunc(told_percent * 10000)
                then (told_percent * 10000)::hugeint
            else error('reprice: write a percent from -100 to 100000 with at most 4 decimals, such as reprice(-30)')
        end as change_millionths,
        case of_token_class
            when 'cache_write' then ['cache_write_5m', 'cache_write_1h', 'cache_write_other']
            else [of_token_class]
        end as moved_classes,
    from told
),

named_models as (
    -- As a scenario names a model: by its own name or an alias, alone or after its provider's, with or without a date
    -- behind it; `*` is any text.
    select distinct
        names.provider,
        names.model,
    from source.price_names as names
    cross join unnest([names.model, names.as_model]) as called(name)
    where
        regexp_full_match(
            lower(called.name),
            replace(regexp_escape(lower(of_model)), '\*', '.*') || '(?:[-@]\d{4}-?\d\d-?\d\d)?'
        )
        or regexp_full_match(
            concat(lower(names.provider), '/', lower(called.name)),
            replace(regexp_escape(lower(of_model)), '\*', '.*') || '(?:[-@]\d{4}-?\d\d-?\d\d)?'
        )
),

named_cells as (
    select
        case of_dimension
            when 'feature' then coalesce(usage_cube.feature, 'unattributed')
            when 'user' then coalesce(usage_cube.user_id, 'unattributed')
            when 'customer' then coalesce(usage_cube.customer_id, 'unattributed')
            when 'model' then concat_ws('/', usage_cube.provider, coalesce(usage_cube.model, 'unknown'))
            when 'day' then coalesce(usage_cube.day::varchar, 'unknown')
            else error('reprice: no such dimension: of_dimension is feature, user, customer, model or day')
        end as name,
        (of_provider is null or coalesce(lower(usage_cube.provider) = lower(of_provider), false))
        and (of_model is null or named_models.model is not null) as is_moved,
        usage_cube.is_success is not null as is_labelled,
        usage_cube.* exclude (is_success),
    from usage_cube
    left join named_models
        on of_model is not null
        and usage_cube.provider is not distinct from named_models.provider
        and usage_cube.priced_model = named_models.model
),

cells as (
    -- What a class costs depends on the card alone.
    select
        name,
        is_moved,
        is_labelled,
        card_id,
        sum(cost_pico) as cost_pico,
        sum(call_count) as call_count,
        sum(uncached_input_tokens) as uncached_input_tokens,
        sum(uncached_audio_tokens) as uncached_audio_tokens,
        sum(uncached_image_tokens) as uncached_image_tokens,
        sum(uncached_video_tokens) as uncached_video_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(cache_write_other_tokens) as cache_write_other_tokens,
        sum(cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(output_tokens) as output_tokens,
        sum(output_audio_tokens) as output_audio_tokens,
        sum(output_image_tokens) as output_image_tokens,
        sum(reasoning_tokens) as reasoning_tokens,
        sum(web_search_count) as web_search_count,
        sum(file_search_count) as file_search_count,
        sum(code_session_count) as code_session_count,
    from named_cells
    where cost_pico is not null
    group by name, is_moved, is_labelled, card_id
),

moved_cells as (
    select
        cells.name,
        cells.is_labelled,
        cells.cost_pico,
        case
            when not cells.is_moved then 0::hugeint
            when of_token_class is null then cells.cost_pico
            when cells.card_id is null then 0::hugeint
            else list_sum(list_transform(
                class_costs(cells, rate_cards),
                lambda part: case when list_contains(asked.moved_classes, part.token_class) then part.cost else 0 end
            ))
        end as moved_pico,
        asked.change_millionths,
    from cells
    cross join asked
    left join source.rate_cards as rate_cards
        on cells.card_id = rate_cards.card_id
),

costs as (
    select
        case when grouping(name) = 0 then of_dimension else 'all' end as dimension,
        coalesce(name, 'all') as name,
        sum(cost_pico * 1000000 + moved_pico * change_millionths) as cost_atto,
        sum(cost_pico * 1000000 + moved_pico * change_millionths) filter (where is_labelled) as labelled_cost_atto,
    from moved_cells
    group by grouping sets ((name), ())
),

found as (
    select
        case
            when count(*) > 0 and not bool_or(is_moved)
                then error('reprice: no call is of this of_provider and of_model; those of the log are in price_certainty')
        end as refusal,
        case
            when of_token_class not in (
                'input', 'cache_read', 'cache_write', 'cache_write_5m', 'cache_write_1h', 'cache_write_other', 'output',
                'input_audio', 'input_image', 'input_video', 'cache_read_audio', 'output_audio', 'output_image',
                'reasoning', 'request', 'web_search', 'file_search', 'code_session'
            ) then error('reprice: no such of_token_class; write one of those in cost_by_class, or cache_write')
        end as class_refusal,
    from named_cells
),

terms as (
    select bool_or(kind in ('volume_tier', 'commitment') and adjustment_pico is not null) as is_moved_by_spend
    from contract_terms
    where scenario_order = 0
),

margins as (
    select
        actual.dimension,
        actual.name,
        actual.action_count,
        actual.success_count,
        actual.cost_usd,
        actual.revenue_usd,
        actual.unpriced_call_count,
        costs.cost_atto,
        costs.labelled_cost_atto,
        atto_from_usd(actual.revenue_usd) as revenue_atto,
        case
            when not coalesce(terms.is_moved_by_spend, false)
                then atto_from_usd(actual.revenue_usd)
                - coalesce(atto_from_usd(actual.cost_apart_usd), 0)
                - costs.cost_atto
        end as margin_atto,
    from scenario_by_dimension as actual
    inner join found
        on found.refusal is null
        and found.class_refusal is null
    cross join terms
    left join costs
        on actual.dimension = costs.dimension
        and actual.name = costs.name
    where actual.scenario_order = 0 and actual.dimension in (of_dimension, 'all')
)

select
    dimension,
    name,
    cost_usd,
    usd_from_atto(cost_atto) as repriced_cost_usd,
    usd_from_atto(cost_atto) - cost_usd as change_usd,
    usd_from_atto(divide_half_even(cost_atto, action_count)) as cost_per_action_usd,
    usd_from_atto(divide_half_even(labelled_cost_atto, success_count)) as cost_per_outcome_usd,
    revenue_usd,
    usd_from_atto(margin_atto) as margin_usd,
    margin_atto / nullif(revenue_atto, 0) as margin_share,
    margin_survives(margin_atto, unpriced_call_count) as survives,
    unpriced_call_count,
from margins
