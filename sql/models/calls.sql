-- one row per call of the ledger, priced with the rate card that was valid when it was made
-- call_id | identity of the call: 32 hexadecimal digits
-- called_at | when the call was made (UTC); null: the log does not say
-- day | UTC date of called_at
-- shape | log format that told of the call
-- provider | who served the call
-- model | model as served
-- model_requested | model as asked for
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- action_id | action that the call is part of; the call itself where the log names none
-- environment | deployment environment, as told
-- service_tier | service tier as served
-- region | region as served
-- is_batch | made through a batch API; null: not told
-- status | success, error (no answer came), refused (answered with an HTTP error), or cache_hit (answered by a gateway's cache); the last two are not billed
-- response_id | the provider's id of the response; null: the log gives none
-- input_tokens | all input tokens, cached ones included; null: unknown
-- uncached_input_tokens | input neither read from nor written to a cache; negative: the told parts exceed the input
-- uncached_audio_tokens | audio input not read from a cache, at most what input was not cached; null: not told
-- uncached_image_tokens | the same of images
-- uncached_video_tokens | the same of video
-- cache_read_tokens | input read from a cache; null: the log does not tell of any
-- cache_write_5m_tokens | input written to a cache for five minutes; null: the log does not tell of any
-- cache_write_1h_tokens | input written to a cache for one hour; null: the log does not tell of any
-- cache_write_other_tokens | input written to a cache for a time not told; null: the log does not tell of any
-- output_tokens | all output tokens, reasoning included; null: unknown
-- reasoning_tokens | output spent on reasoning; null: not told
-- input_audio_tokens | input that was audio; null: not told
-- output_audio_tokens | output that was audio; null: not told
-- cache_read_audio_tokens | part of the cached input that was audio; null: not told
-- input_image_tokens | input that was images; null: not told
-- output_image_tokens | output that was images; null: not told
-- input_video_tokens | input that was video; null: not told
-- web_search_count | web searches billed with the call; null: the log does not tell of any
-- file_search_count | file searches billed with the call; null: the log does not tell of any
-- code_session_count | containers of a code interpreter; null: the log does not tell of any
-- compute_microseconds | compute_seconds in integer microseconds, for exact arithmetic
-- compute_seconds | GPU or prediction time that is billed as such; null: none told
-- latency_seconds | duration of the call as logged
-- cost_usd | cost of tokens and fees at the rates of its day; null: unpriced, see price_status
-- cost_pico | cost_usd in integer pico-USD, for exact arithmetic
-- price_status | exact, prefix_match, fallback_provider, context_unmatched (no price for its tier or batch: the standard one), free, not_billed, billed_by_time; without a cost: usage_unknown, time_unknown (billed by the second, and the log tells none), inconsistent_usage (parts exceed the whole), unknown_model (no rate holds for it then), class_unpriced
-- time_cost_usd | cost of its compute time, apart from cost_usd; null: no rate for time, or no time told
-- time_cost_pico | time_cost_usd in integer pico-USD
-- unpriced_classes | used token classes without a rate, comma-separated; null: none, or usage unknown
-- card_id | rate card that holds for the call; null: none, usage unknown, or not billed
-- matched_card_id | rate card of its model, time and context, whether or not it prices the call; null: none
-- recorded_cost_usd | cost as the log has it, beside ours and never added to it; null: none recorded
-- guard | what does not add up in its counts, see guard_findings; null: nothing found
-- content_id | log file that the call is from, see files
-- source_file | path of that log file
-- line_number | line (row, element) of that file, from 1
-- part | 0, or which call of a line that tells of several
with told as (
    select
        *,
        uncached_input(ledger) as uncached_input_tokens,
    from source.ledger as ledger
),

bounded as (
    select
        *,
        -- How much of the audio, images and video was cached is mostly not told: no more of them can be uncached than there
        -- is uncached input. What was cached costs what cached input costs. (`case`: an older client knows no `if`.)
        case when uncached_input_tokens < input_tokens then greatest(uncached_input_tokens, 0) end::bigint as most_uncached,
    from told
),

counted as (
    select
        *,
        case
            when input_audio_tokens is null then null
            when cache_read_audio_tokens is not null then greatest(input_audio_tokens - cache_read_audio_tokens, 0)
            else least(input_audio_tokens, most_uncached)
        end as uncached_audio_tokens,
        case when input_image_tokens is not null then least(input_image_tokens, most_uncached) end as uncached_image_tokens,
        case when input_video_tokens is not null then least(input_video_tokens, most_uncached) end as uncached_video_tokens,
        1 as call_count,
        -- What served the call is what it costs; where that is not told, what was asked for.
        coalesce(model, model_requested) as priced_model,
        -- A call without an instant is looked up at the end of time: it takes the newest card, and only one of all week.
        coalesce(epoch_us(called_at), 9223372036854775806) as lookup_us,
        coalesce(utc_week_second(called_at), -1) as lookup_second,
        -- A call with no input is on the first context band.
        greatest(input_tokens, 1) as lookup_tokens,
    from bounded
),

rate_cards as (
    -- Open bounds as numbers: plain comparisons keep the join below a hash join.
    select
        * exclude (price_status, model),
        model as priced_model,
        price_status as card_price_status,
        coalesce(epoch_us(valid_from), -9223372036854775807) as from_us,
        coalesce(epoch_us(valid_to), 9223372036854775807) as to_us,
        case when week_second_from = 0 and week_second_to = 604800 then -1 else week_second_from end as from_second,
        coalesce(context_up_to, 9223372036854775807) as context_limit,
    from source.rate_cards
),

carded as (
    select
        counted.*,
        rate_cards.* exclude (provider, priced_model, service_tier, region, is_batch),
        cost_of(counted, rate_cards) as card_cost_pico,
        time_cost_of(counted, rate_cards) as time_cost_pico,
    from counted
    left join rate_cards
        on counted.provider is not distinct from rate_cards.provider
        and counted.priced_model is not distinct from rate_cards.priced_model
        and counted.service_tier is not distinct from rate_cards.service_tier
        and counted.region is not distinct from rate_cards.region
        and counted.is_batch is not distinct from rate_cards.is_batch
        and counted.lookup_us >= rate_cards.from_us
        and counted.lookup_us < rate_cards.to_us
        and counted.lookup_second >= rate_cards.from_second
        and counted.lookup_second < rate_cards.week_second_to
        and counted.lookup_tokens > rate_cards.context_above
        and counted.lookup_tokens <= rate_cards.context_limit
),

judged_calls as (
    select
        *,
        judged(carded, carded, card_price_status, card_cost_pico) as price_status,
    from carded
),

priced as (
    select
        *,
        judged_cost(price_status, card_cost_pico) as cost_pico,
    from judged_calls
)

select
    format('{:016x}{:016x}', priced.key_hi, priced.key_lo) as call_id,
    priced.called_at,
    priced.day,
    priced.shape,
    priced.provider,
    priced.model,
    priced.model_requested,
    priced.feature,
    priced.user_id,
    priced.customer_id,
    priced.action_id,
    priced.environment,
    priced.service_tier,
    priced.region,
    priced.is_batch,
    priced.status,
    priced.response_id,
    priced.input_tokens,
    priced.uncached_input_tokens,
    priced.uncached_audio_tokens,
    priced.uncached_image_tokens,
    priced.uncached_video_tokens,
    priced.cache_read_tokens,
    priced.cache_write_5m_tokens,
    priced.cache_write_1h_tokens,
    priced.cache_write_other_tokens,
    priced.output_tokens,
    priced.reasoning_tokens,
    priced.input_audio_tokens,
    priced.output_audio_tokens,
    priced.cache_read_audio_tokens,
    priced.input_image_tokens,
    priced.output_image_tokens,
    priced.input_video_tokens,
    priced.web_search_count,
    priced.file_search_count,
    priced.code_session_count,
    priced.compute_microseconds,
    (priced.compute_microseconds * 0.000001::decimal(6, 6))::decimal(18, 6) as compute_seconds,
    priced.latency_seconds,
    usd_from_pico(priced.cost_pico) as cost_usd,
    priced.cost_pico,
    priced.price_status,
    usd_from_pico(priced.time_cost_pico) as time_cost_usd,
    priced.time_cost_pico,
    case when priced.price_status in ('unknown_model', 'class_unpriced') then
        nullif(concat_ws(
            ',',
            case when priced.uncached_input_tokens > 0 and priced.input_rate is null then 'input' end,
            case when priced.cache_read_tokens > 0 and priced.cache_read_rate is null then 'cache_read' end,
            case when priced.cache_write_5m_tokens > 0 and priced.cache_write_5m_rate is null then 'cache_write_5m' end,
            case when priced.cache_write_1h_tokens > 0 and priced.cache_write_1h_rate is null then 'cache_write_1h' end,
            case when priced.cache_write_other_tokens > 0 and priced.cache_write_other_rate is null
                then 'cache_write_other' end,
            case when priced.output_tokens > 0 and priced.output_rate is null then 'output' end,
            case when priced.web_search_count > 0 and priced.web_search_rate is null then 'web_search' end,
            case when priced.file_search_count > 0 and priced.file_search_rate is null then 'file_search' end,
            case when priced.code_session_count > 0 and priced.code_session_rate is null then 'code_session' end
        ), '')
    end as unpriced_classes,
    case
        when priced.price_status not in ('not_billed', 'billed_by_time', 'usage_unknown', 'time_unknown', 'inconsistent_usage')
            then priced.card_id
    end as card_id,
    priced.card_id as matched_card_id,
    usd_from_pico(priced.recorded_cost_pico) as recorded_cost_usd,
    priced.guard,
    priced.content_id,
    contents.path as source_file,
    priced.line_number,
    priced.part,
from priced
left join source.contents as contents
    on priced.content_id = contents.content_id
