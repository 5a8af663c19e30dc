-- one row per cell: quantities of calls that are alike in all that a price depends on and all that a report groups by
-- cell_id | number of the cell, another in each build
-- day | UTC date; null: the log does not say
-- provider | who served the calls
-- model | model as served; null: not told
-- priced_model | model that the price was looked up for: as served, else as asked for
-- service_tier | service tier as served
-- region | region as served
-- is_batch | made through a batch API; null: not told
-- context_band | greatest context bound of any card below the call's input tokens; 0: below all; null: input unknown
-- time_band | greatest bound of any card's time window up to the call, in seconds of the UTC week; null: instant unknown
-- priced_since | last instant within a day at which any card begins or ends, up to the call; null: none, or instant unknown
-- is_parts_within | whether audio, images, video and reasoning are no more than what they are parts of
-- used_classes | which classes the calls use, a bit for each, see used_classes_of in macros.sql
-- card_id | rate card that holds for the calls; null: none, usage unknown, or not billed
-- price_status | as in calls
-- environment | deployment environment, as told
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- outcome | latest outcome of the calls' action; null: none yet
-- is_success | whether that was a success; null: unlabelled
-- call_count | calls
-- error_call_count | of these, with status error or refused
-- unknown_usage_call_count | of these, with unknown input or output
-- input_tokens | all input of the calls that tell it; null: none does
-- least_input_tokens | input of the call with the least
-- most_input_tokens | input of the call with the most
-- uncached_input_tokens | input neither read from nor written to a cache
-- uncached_audio_tokens | of the input, audio not read from a cache; null: no call tells of any
-- cache_read_tokens | input read from a cache; null: no call tells of any
-- cache_write_5m_tokens | input written to a cache for five minutes; null: no call tells of any
-- cache_write_1h_tokens | input written to a cache for one hour; null: no call tells of any
-- cache_write_other_tokens | input written to a cache for a time not told; null: no call tells of any
-- output_tokens | all output of the calls that tell it; null: none does
-- reasoning_tokens | output spent on reasoning; null: no call tells of any
-- uncached_image_tokens | of the input, images not read from a cache; null: no call tells of any
-- uncached_video_tokens | of the input, video not read from a cache; null: no call tells of any
-- cache_read_audio_tokens | of the cached input, audio; null: no call tells of any
-- output_audio_tokens | of the output, audio; null: no call tells of any
-- output_image_tokens | of the output, images; null: no call tells of any
-- web_search_count | web searches; null: no call tells of any
-- file_search_count | file searches; null: no call tells of any
-- code_session_count | containers of a code interpreter; null: no call tells of any
-- compute_microseconds | GPU or prediction time that is billed as such; null: no call tells of any
-- busy_microseconds | the same, and the latency of calls that do not tell it; null: no call tells either
-- untimed_call_count | of the calls, those that tell neither
-- cost_pico | cost of tokens and fees in integer pico-USD; null: unpriced
-- time_cost_pico | cost of compute time, apart from cost_pico; null: none told
with context_bounds as (
    -- Of every model that there are prices of, whether or not it was called: calls may move to it.
    select list(distinct context_above) as bounds
    from (
        select context_above from source.rate_cards
        union all
        select context_above from source.context_bounds
    ) as bounds_of_both
),

time_bounds as (
    select list(distinct week_second_from) as bounds
    from source.rate_cards
),

-- Other instants lie between two days, and the cube knows the day.
span_bounds as (
    select list(distinct bound) as bounds
    from (
        select unnest([valid_from, valid_to]) as bound from source.rate_cards
    ) as bounds_of_both
    where epoch_us(bound) % 86400000000 <> 0
),

latest_outcomes as (
    select
        action_id,
        outcome,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

banded_calls as (
    select
        calls.*,
        list_max(list_filter(context_bounds.bounds, lambda bound: bound < calls.input_tokens)) as context_band,
        list_max(list_filter(span_bounds.bounds, lambda bound: bound <= calls.called_at)) as priced_since,
        list_max(list_filter(time_bounds.bounds, lambda bound: bound <= utc_week_second(calls.called_at))) as time_band,
        -- A latency of more than a year is told in another unit: it is not known.
        coalesce(
            calls.compute_microseconds,
            case when calls.latency_seconds between 0 and 31622400 then round(calls.latency_seconds * 1000000)::bigint end
        ) as busy_microseconds,
    from calls
    cross join context_bounds
    cross join time_bounds
    cross join span_bounds
),

cells as (
    select
        banded_calls.day,
        banded_calls.provider,
        banded_calls.model,
        coalesce(banded_calls.model, banded_calls.model_requested) as priced_model,
        banded_calls.service_tier,
        banded_calls.region,
        banded_calls.is_batch,
        case when banded_calls.input_tokens is not null then coalesce(banded_calls.context_band, 0) end as context_band,
        case when banded_calls.called_at is not null then coalesce(banded_calls.time_band, 0) end as time_band,
        banded_calls.priced_since,
        parts_are_within(banded_calls) as is_parts_within,
        used_classes_of(banded_calls) as used_classes,
        banded_calls.card_id,
        banded_calls.price_status,
        banded_calls.environment,
        banded_calls.feature,
        banded_calls.user_id,
        banded_calls.customer_id,
        latest_outcomes.outcome,
        latest_outcomes.is_success,
        count(*) as call_count,
        count(*) filter (where banded_calls.status in ('error', 'refused')) as error_call_count,
        count(*) filter (where banded_calls.input_tokens is null or banded_calls.output_tokens is null)
            as unknown_usage_call_count,
        sum(banded_calls.input_tokens) as input_tokens,
        min(banded_calls.input_tokens) as least_input_tokens,
        max(banded_calls.input_tokens) as most_input_tokens,
        sum(banded_calls.uncached_input_tokens) as uncached_input_tokens,
        sum(banded_calls.uncached_audio_tokens) as uncached_audio_tokens,
        sum(banded_calls.cache_read_tokens) as cache_read_tokens,
        sum(banded_calls.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(banded_calls.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(banded_calls.cache_write_other_tokens) as cache_write_other_tokens,
        sum(banded_calls.output_tokens) as output_tokens,
        sum(banded_calls.reasoning_tokens) as reasoning_tokens,
        sum(banded_calls.uncached_image_tokens) as uncached_image_tokens,
        sum(banded_calls.uncached_video_tokens) as uncached_video_tokens,
        sum(banded_calls.cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(banded_calls.output_audio_tokens) as output_audio_tokens,
        sum(banded_calls.output_image_tokens) as output_image_tokens,
        sum(banded_calls.web_search_count) as web_search_count,
        sum(banded_calls.file_search_count) as file_search_count,
        sum(banded_calls.code_session_count) as code_session_count,
        sum(banded_calls.compute_microseconds) as compute_microseconds,
        sum(banded_calls.busy_microseconds) as busy_microseconds,
        count(*) filter (where banded_calls.busy_microseconds is null) as untimed_call_count,
        sum(banded_calls.cost_pico) as cost_pico,
        sum(banded_calls.time_cost_pico) as time_cost_pico,
    from banded_calls
    left join latest_outcomes
        on banded_calls.action_id = latest_outcomes.action_id
    group by all
)

select
    row_number() over () as cell_id,
    cells.*,
from cells
