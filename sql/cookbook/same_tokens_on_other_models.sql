-- What would the same tokens cost on the other models that are in use?
-- Read: one row for each model and each other one, the largest saving first; at the other's newest prices, those of its hours at the hours of the calls, for the tier, region and batch that it is called with most. cost_usd has the compute time of models that are paid by it.
-- Unknown: another model takes other numbers of tokens and may fail more often: `tokenspread swap` measures both. Null: the other has no price now, or none for some class that is used, or has prices by the hour and some call tells no instant, or some priced call does not tell its tokens, or tells parts that exceed the whole. Unpriced calls of the first are counted and in no cost.
with params as (
    select
        null::varchar as feature, -- one feature, or unattributed; null: all
),

used as (
    select
        usage_cube.provider,
        usage_cube.priced_model,
        usage_cube.context_band,
        usage_cube.time_band,
        -- A null time cost adds nothing: calls paid by time without one are left out below.
        sum(usage_cube.cost_pico + coalesce(usage_cube.time_cost_pico, 0)) as cost_pico,
        sum(usage_cube.call_count) as call_count,
        sum(usage_cube.unknown_usage_call_count) as unknown_usage_call_count,
        bool_and(usage_cube.is_parts_within) as is_parts_within,
        sum(usage_cube.uncached_input_tokens) as uncached_input_tokens,
        sum(usage_cube.uncached_audio_tokens) as uncached_audio_tokens,
        sum(usage_cube.uncached_image_tokens) as uncached_image_tokens,
        sum(usage_cube.uncached_video_tokens) as uncached_video_tokens,
        sum(usage_cube.cache_read_tokens) as cache_read_tokens,
        sum(usage_cube.cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(usage_cube.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(usage_cube.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(usage_cube.cache_write_other_tokens) as cache_write_other_tokens,
        sum(usage_cube.output_tokens) as output_tokens,
        sum(usage_cube.output_audio_tokens) as output_audio_tokens,
        sum(usage_cube.output_image_tokens) as output_image_tokens,
        sum(usage_cube.reasoning_tokens) as reasoning_tokens,
        sum(usage_cube.web_search_count) as web_search_count,
        sum(usage_cube.file_search_count) as file_search_count,
        sum(usage_cube.code_session_count) as code_session_count,
    from usage_cube
    cross join params
    where
        usage_cube.cost_pico is not null
        and usage_cube.price_status <> 'not_billed'
        and (usage_cube.price_status <> 'billed_by_time' or usage_cube.time_cost_pico is not null)
        and (params.feature is null or coalesce(usage_cube.feature, 'unattributed') = params.feature)
    group by all
),

unpriced as (
    select
        usage_cube.provider,
        usage_cube.priced_model,
        sum(usage_cube.call_count) as unpriced_call_count,
    from usage_cube
    cross join params
    where
        (usage_cube.cost_pico is null or (usage_cube.price_status = 'billed_by_time' and usage_cube.time_cost_pico is null))
        and (params.feature is null or coalesce(usage_cube.feature, 'unattributed') = params.feature)
    group by all
),

refs as (
    select
        provider,
        priced_model,
        service_tier,
        region,
        is_batch,
    from usage_cube
    where priced_model is not null
    group by provider, priced_model, service_tier, region, is_batch
    qualify row_number() over (
        partition by provider, priced_model
        order by sum(call_count) desc, service_tier, region, is_batch
    ) = 1
),

newest as (
    select
        rate_cards.*,
        refs.priced_model,
    from refs
    inner join rate_cards
        on refs.provider is not distinct from rate_cards.provider
        and refs.priced_model is not distinct from rate_cards.model
        and refs.service_tier is not distinct from rate_cards.service_tier
        and refs.region is not distinct from rate_cards.region
        and refs.is_batch is not distinct from rate_cards.is_batch
    where rate_cards.valid_to is null
),

moved as (
    select
        used.provider,
        used.priced_model,
        used.call_count,
        used.cost_pico,
        refs.provider as other_provider,
        refs.priced_model as other_model,
        case when newest.card_id is not null and used.unknown_usage_call_count = 0 and used.is_parts_within then cost_of(used, newest) end
            as other_pico,
    from used
    inner join refs
        on used.provider is distinct from refs.provider or used.priced_model is distinct from refs.priced_model
    left join newest
        on refs.provider is not distinct from newest.provider
        and refs.priced_model = newest.priced_model
        and used.context_band >= newest.context_above
        and (newest.context_up_to is null or used.context_band < newest.context_up_to)
        and (
            used.time_band between newest.week_second_from and newest.week_second_to - 1
            or (newest.week_second_from = 0 and newest.week_second_to = 604800)
        )
)

select
    moved.provider,
    moved.priced_model as model,
    moved.other_provider,
    moved.other_model,
    sum(moved.call_count) as call_count,
    usd_from_pico(sum(moved.cost_pico)) as cost_usd,
    case when count(moved.other_pico) = count(*) then usd_from_pico(sum(moved.other_pico)) end as other_cost_usd,
    case when count(moved.other_pico) = count(*) then usd_from_pico(sum(moved.cost_pico) - sum(moved.other_pico)) end as saving_usd,
    case when count(moved.other_pico) = count(*) then sum(moved.other_pico) / nullif(sum(moved.cost_pico), 0) - 1 end as change_share,
    coalesce(any_value(unpriced.unpriced_call_count), 0) as unpriced_call_count,
from moved
left join unpriced
    on moved.provider is not distinct from unpriced.provider
    and moved.priced_model is not distinct from unpriced.priced_model
group by moved.provider, moved.priced_model, moved.other_provider, moved.other_model
order by saving_usd desc nulls last, moved.provider, model, moved.other_provider, moved.other_model
