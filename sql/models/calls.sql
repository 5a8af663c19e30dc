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
-- compute_seconds | GPU or prediction time that is billed as such; null: none told
-- latency_seconds | duration of the call as logged
-- cost_usd | cost at the rates of its day; null: unpriced, see price_status
-- cost_pico | cost_usd in integer pico-USD, for exact arithmetic
-- price_status | exact, prefix_match, fallback_provider, free, not_billed; without a cost: usage_unknown, inconsistent_usage (parts exceed the input), unknown_model (no card holds for it then), class_unpriced
-- unpriced_classes | used token classes without a rate, comma-separated; null: none, or usage unknown
-- card_id | rate card that priced the call; null: unpriced or not billed
-- recorded_cost_usd | cost as the log has it, beside ours and never added to it; null: none recorded
-- guard | what does not add up in its counts, see guard_findings; null: nothing found
-- content_id | log file that the call is from, see files
-- source_file | path of that log file
-- line_number | line (row, element) of that file, from 1
-- part | 0, or which call of a line that tells of several
with ledger as (
    -- A call without an instant is looked up at the end of time: it takes the newest card, and only a whole-day one.
    select
        *,
        coalesce(epoch_us(called_at), 9223372036854775806) as lookup_us,
        coalesce(utc_day_second(called_at), -1) as lookup_second,
        -- A call with no input is on the first context band.
        greatest(input_tokens, 1) as lookup_tokens,
        uncached_input(
            input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_other_tokens
        ) as uncached_input_tokens,
    from source.ledger
),

rate_cards as (
    -- Open bounds as numbers: plain comparisons keep the join below a hash join.
    select
        * exclude (price_status),
        price_status as card_price_status,
        coalesce(epoch_us(valid_from), -9223372036854775807) as from_us,
        coalesce(epoch_us(valid_to), 9223372036854775807) as to_us,
        case when day_second_from = 0 and day_second_to >= 86400 then -1 else day_second_from end as from_second,
        coalesce(context_up_to, 9223372036854775807) as context_limit,
    from source.rate_cards
),

carded as (
    select
        ledger.*,
        rate_cards.* exclude (provider, model, service_tier, region, is_batch),
        cost_of(
            ledger.uncached_input_tokens, ledger.cache_read_tokens, ledger.cache_write_5m_tokens,
            ledger.cache_write_1h_tokens, ledger.cache_write_other_tokens,
            ledger.output_tokens, ledger.web_search_count,
            rate_cards.input_rate_pico, rate_cards.cache_read_rate_pico, rate_cards.cache_write_5m_rate_pico,
            rate_cards.cache_write_1h_rate_pico, rate_cards.cache_write_other_rate_pico, rate_cards.output_rate_pico,
            rate_cards.web_search_rate_pico
        ) as card_cost_pico,
    from ledger
    left join rate_cards
        on ledger.provider is not distinct from rate_cards.provider
        and ledger.model is not distinct from rate_cards.model
        and ledger.service_tier is not distinct from rate_cards.service_tier
        and ledger.region is not distinct from rate_cards.region
        and ledger.is_batch is not distinct from rate_cards.is_batch
        and ledger.lookup_us >= rate_cards.from_us
        and ledger.lookup_us < rate_cards.to_us
        and ledger.lookup_second >= rate_cards.from_second
        and ledger.lookup_second < rate_cards.day_second_to
        and ledger.lookup_tokens > rate_cards.context_above
        and ledger.lookup_tokens <= rate_cards.context_limit
),

priced as (
    select
        *,
        case
            when status in ('cache_hit', 'refused') then 'not_billed'
            when input_tokens is null or output_tokens is null then 'usage_unknown'
            when uncached_input_tokens < 0 then 'inconsistent_usage'
            when card_id is null then 'unknown_model'
            when card_cost_pico is null then 'class_unpriced'
            else card_price_status
        end as price_status,
        case
            when status in ('cache_hit', 'refused') then 0::hugeint
            when input_tokens is null or output_tokens is null or uncached_input_tokens < 0 or card_id is null then null
            else card_cost_pico
        end as cost_pico,
    from carded
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
    (priced.compute_microseconds * 0.000001::decimal(6, 6))::decimal(18, 6) as compute_seconds,
    priced.latency_seconds,
    usd_from_pico(priced.cost_pico) as cost_usd,
    priced.cost_pico,
    priced.price_status,
    case when priced.price_status in ('unknown_model', 'class_unpriced') then
        nullif(concat_ws(
            ',',
            case when priced.uncached_input_tokens > 0 and priced.input_rate_pico is null then 'input' end,
            case when priced.cache_read_tokens > 0 and priced.cache_read_rate_pico is null then 'cache_read' end,
            case when priced.cache_write_5m_tokens > 0 and priced.cache_write_5m_rate_pico is null
                then 'cache_write_5m' end,
            case when priced.cache_write_1h_tokens > 0 and priced.cache_write_1h_rate_pico is null
                then 'cache_write_1h' end,
            case when priced.cache_write_other_tokens > 0 and priced.cache_write_other_rate_pico is null
                then 'cache_write_other' end,
            case when priced.output_tokens > 0 and priced.output_rate_pico is null then 'output' end,
            case when priced.web_search_count > 0 and priced.web_search_rate_pico is null then 'web_search' end
        ), '')
    end as unpriced_classes,
    case when priced.cost_pico is not null and priced.price_status <> 'not_billed' then priced.card_id end as card_id,
    usd_from_pico(priced.recorded_cost_pico) as recorded_cost_usd,
    priced.guard,
    priced.content_id,
    contents.path as source_file,
    priced.line_number,
    priced.part,
from priced
left join source.contents as contents
    on priced.content_id = contents.content_id
