-- What did caching save?
-- Read: the cost of the same calls if all that was read from a cache or written to one had been plain input, less what they cost; below zero, writing cost more than reading saved. The same as the scenario caching=none.
-- Unknown: unknown_call_count are calls that used a cache and have no price, or none for plain input: they are in no saving. A saving of null: no call tells of a cache, or none of these is priced.
with params as (
    select
        null::varchar as period, -- see log_days: this month, 2026-03, ...; null: all, calls without a day too
),

used as (
    select
        coalesce(usage_cube.feature, 'unattributed') as feature,
        usage_cube.card_id,
        usage_cube.cost_pico is not null as is_priced,
        sum(usage_cube.call_count) as call_count,
        sum(usage_cube.input_tokens) as input_tokens,
        sum(usage_cube.cache_read_tokens) as cache_read_tokens,
        sum(usage_cube.cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(usage_cube.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(usage_cube.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(usage_cube.cache_write_other_tokens) as cache_write_other_tokens,
        sum(usage_cube.cost_pico) as cost_pico,
        sum(usage_cube.call_count) filter (
            where usage_cube.cache_read_tokens > 0
            or usage_cube.cache_write_5m_tokens > 0
            or usage_cube.cache_write_1h_tokens > 0
            or usage_cube.cache_write_other_tokens > 0
        ) as cache_call_count,
    from usage_cube
    cross join params
    left join log_days((select coalesce(period, 'log') from params)) as days
        on params.period is not null
    where
        usage_cube.price_status <> 'not_billed'
        and (params.period is null or usage_cube.day between days.first_day and days.last_day)
    group by all
),

compared as (
    select
        used.*,
        coalesce(
            used.cache_read_tokens, used.cache_write_5m_tokens, used.cache_write_1h_tokens, used.cache_write_other_tokens
        ) is not null as is_told,
        case when used.is_priced and is_told then
            class_cost(used.cache_read_tokens, rate_cards.input_rate)
            - class_cost(used.cache_read_tokens, rate_cards.cache_read_rate)
            + part_cost(used.cache_read_audio_tokens, rate_cards.input_audio_rate, rate_cards.input_rate)
            - part_cost(used.cache_read_audio_tokens, rate_cards.cache_read_audio_rate, rate_cards.cache_read_rate)
        end as saved_pico,
        case when used.is_priced and is_told then
            class_cost(used.cache_write_5m_tokens, rate_cards.cache_write_5m_rate)
            + class_cost(used.cache_write_1h_tokens, rate_cards.cache_write_1h_rate)
            + class_cost(used.cache_write_other_tokens, rate_cards.cache_write_other_rate)
            - class_cost(used.cache_write_5m_tokens, rate_cards.input_rate)
            - class_cost(used.cache_write_1h_tokens, rate_cards.input_rate)
            - class_cost(used.cache_write_other_tokens, rate_cards.input_rate)
        end as write_extra_pico,
    from used
    left join rate_cards
        on used.card_id = rate_cards.card_id
)

select
    case when grouping(feature) = 0 then feature else 'all' end as feature,
    sum(call_count) as call_count,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_read_tokens) / nullif(sum(input_tokens), 0) as cache_read_share,
    usd_from_pico(sum(cost_pico)) as cost_usd,
    usd_from_pico(sum(saved_pico)) as saved_by_reads_usd,
    usd_from_pico(sum(write_extra_pico)) as paid_for_writes_usd,
    usd_from_pico(sum(saved_pico - write_extra_pico)) as saved_usd,
    sum(saved_pico - write_extra_pico)
    / nullif(sum(cost_pico + coalesce(saved_pico - write_extra_pico, 0)), 0) as saved_share,
    coalesce(sum(cache_call_count) filter (where saved_pico - write_extra_pico is null), 0) as unknown_call_count,
from compared
group by grouping sets ((feature), ())
order by grouping(feature), sum(saved_pico - write_extra_pico) desc nulls last, feature
