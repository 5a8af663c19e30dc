-- Which models are slow, and which are dear?
-- Read: one row for each model: the mean time of a call beside what a call costs, compute time that is paid by the second included. Failed and refused calls are among them.
-- Unknown: untimed_call_count are calls that tell no time and are in no mean; output_tokens_per_call is of the calls that tell their output; calls without a price are counted and in no cost.
with params as (
    select
        null::varchar as feature, -- one feature, or unattributed; null: all
        null::varchar as period, -- see log_days: this month, 2026-03, ...; null: all, calls without a day too
)

select
    usage_cube.provider,
    usage_cube.model,
    sum(usage_cube.call_count) as call_count,
    sum(usage_cube.busy_microseconds) / 1000000
    / nullif(sum(usage_cube.call_count) - sum(usage_cube.untimed_call_count), 0) as mean_latency_seconds,
    -- Most models have no price of time.
    usd_from_pico(sum(usage_cube.cost_pico + coalesce(usage_cube.time_cost_pico, 0))) as cost_usd,
    usd_from_pico(
        divide_half_even(
            sum(usage_cube.cost_pico + coalesce(usage_cube.time_cost_pico, 0)),
            sum(usage_cube.call_count) filter (where usage_cube.cost_pico is not null)
        )
    ) as cost_per_priced_call_usd,
    sum(usage_cube.output_tokens)
    / nullif(
        sum(
            case
                -- With the input known, usage is unknown for want of the output; without it, an output of zero tells nothing.
                when usage_cube.context_band is not null then usage_cube.call_count - usage_cube.unknown_usage_call_count
                when usage_cube.output_tokens > 0 then usage_cube.call_count
            end
        ),
        0
    ) as output_tokens_per_call,
    sum(usage_cube.untimed_call_count) as untimed_call_count,
    coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0) as unpriced_call_count,
from usage_cube
cross join params
left join log_days((select coalesce(period, 'log') from params)) as days
    on params.period is not null
where
    (params.feature is null or coalesce(usage_cube.feature, 'unattributed') = params.feature)
    and (params.period is null or usage_cube.day between days.first_day and days.last_day)
group by all
order by cost_usd desc nulls last, usage_cube.provider, usage_cube.model
