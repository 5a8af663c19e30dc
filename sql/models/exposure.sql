-- one row per dimension (all, feature, user, customer, model, day), name in it, kind (provider, model, token_class) and driver
-- dimension | all, feature, user, customer, model or day
-- name | the feature, user, ... or unattributed; provider/model; the UTC date, or unknown; all
-- kind | provider, model or token_class: those of one kind add up to the cost of the name
-- driver | the provider, or unknown; provider/model; the token class, as in cost_by_class
-- cost_usd | cost of tokens and fees that rides on it; null: none is priced
-- exposure_share | cost_usd over the cost of the name; null: that is zero or not known
-- one_percent_usd | what the cost changes by when the prices of this driver alone rise or fall by one percent
-- break_even_change_share | how far the prices of this driver alone may rise until the margin of the name is zero (0.5: by half; below -1: not even free tokens would do); at most this when calls of the name are unpriced; null: no revenue told, or nothing rides on it
-- unpriced_call_count | calls of the name without a cost, whatever their driver
with named_cells as (
    select
        * replace (
            coalesce(feature, 'unattributed') as feature,
            concat_ws('/', provider, coalesce(model, 'unknown')) as model,
            coalesce(day::varchar, 'unknown') as day,
            coalesce(provider, 'unknown') as provider
        ),
        concat_ws('/', usage_cube.provider, coalesce(usage_cube.model, 'unknown')) as driving_model,
        coalesce(user_id, 'unattributed') as user_name,
        coalesce(customer_id, 'unattributed') as customer,
        is_priced(price_status) as is_priced,
    from usage_cube
),

cells as (
    -- One pass over the cube: what a class costs depends on the card alone.
    select
        dimension_of(grouping(feature, user_name, customer, model, day)) as dimension,
        coalesce(feature, user_name, customer, model, day, 'all') as name,
        provider,
        driving_model,
        card_id,
        is_priced,
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
    group by grouping sets (
        (provider, driving_model, card_id, is_priced, feature),
        (provider, driving_model, card_id, is_priced, user_name),
        (provider, driving_model, card_id, is_priced, customer),
        (provider, driving_model, card_id, is_priced, model),
        (provider, driving_model, card_id, is_priced, day),
        (provider, driving_model, card_id, is_priced)
    )
),

class_parts as (
    select
        dimension,
        name,
        unnest(list_filter(class_costs(cells, rate_cards), lambda part: part.quantity <> 0), recursive := true),
    from cells
    inner join source.rate_cards as rate_cards
        on cells.card_id = rate_cards.card_id
    where cells.is_priced
),

parts as (
    select
        dimension,
        name,
        'provider' as kind,
        provider as driver,
        cost_pico,
    from cells
    union all
    select
        dimension,
        name,
        'model' as kind,
        driving_model as driver,
        cost_pico,
    from cells
    union all
    select
        dimension,
        name,
        'token_class' as kind,
        token_class as driver,
        cost as cost_pico,
    from class_parts
),

drivers as (
    select
        dimension,
        name,
        kind,
        driver,
        sum(cost_pico) as cost_pico,
    from parts
    group by dimension, name, kind, driver
),

actual as (
    select
        dimension,
        name,
        unpriced_call_count,
        atto_from_usd(cost_usd) as cost_atto,
        atto_from_usd(margin_usd) as margin_atto,
    from scenario_by_dimension
    where scenario_order = 0
)

select
    drivers.dimension,
    drivers.name,
    drivers.kind,
    drivers.driver,
    usd_from_pico(drivers.cost_pico) as cost_usd,
    drivers.cost_pico * 1000000 / nullif(actual.cost_atto, 0) as exposure_share,
    usd_from_atto(drivers.cost_pico * 10000) as one_percent_usd,
    actual.margin_atto / nullif(drivers.cost_pico * 1000000, 0) as break_even_change_share,
    actual.unpriced_call_count,
from drivers
inner join actual
    on drivers.dimension = actual.dimension
    and drivers.name = actual.name
