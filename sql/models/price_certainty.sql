-- one row per provider, model and price_status: how sure the prices of its calls are, and the money at stake
-- provider | who served the calls
-- model | model that the price was looked up for
-- price_status | as in calls
-- call_count | calls
-- input_tokens | all input of the calls that tell it; null: none does
-- output_tokens | all output of the calls that tell it; null: none does
-- cost_usd | their cost; null: they have none
-- least_usd | what they cost at least; null: not known
-- most_usd | what they cost at most; null: not known
-- recorded_cost_usd | what the log says that they cost; null: it says nothing
-- bounds_from | where least and most come from
with ranked as (
    select
        provider,
        coalesce(model, model_requested) as model,
        price_status,
        input_tokens,
        output_tokens,
        cost_pico,
        recorded_cost_usd,
        case when is_batch then 'batch' else lower(service_tier) end as asked_tier,
    from calls
),

bounded as (
    select
        *,
        case
            when price_status in ('free', 'exact', 'not_billed', 'billed_by_time') then cost_pico
            -- Every published batch and flex rate is at least half of the standard one, so far.
            when price_status = 'context_unmatched' and asked_tier in ('batch', 'flex')
                then divide_half_even(cost_pico, 2)
            when price_status = 'context_unmatched' and asked_tier in ('priority', 'fast') then cost_pico
        end as least_pico,
        case
            when price_status in ('free', 'exact', 'not_billed', 'billed_by_time') then cost_pico
            when price_status = 'context_unmatched' and asked_tier in ('batch', 'flex') then cost_pico
        end as most_pico,
    from ranked
)

select
    provider,
    model,
    price_status,
    count(*) as call_count,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    usd_from_pico(sum(cost_pico)) as cost_usd,
    usd_from_pico(case when count(least_pico) = count(*) then sum(least_pico) end) as least_usd,
    usd_from_pico(case when count(most_pico) = count(*) then sum(most_pico) end) as most_usd,
    sum(recorded_cost_usd) as recorded_cost_usd,
    case price_status
        when 'context_unmatched' then 'a batch or flex rate is half of the standard one or more, a priority rate more than it'
        when 'prefix_match' then 'not bounded: a name that only begins like the model''s may be another model'
        when 'fallback_provider' then 'not bounded: the price is another provider''s for the same model'
        when 'class_unpriced' then 'not bounded: a used class has no rate'
        when 'unknown_model' then 'not bounded: no price'
        when 'usage_unknown' then 'not bounded: the log tells no token counts'
        when 'time_unknown' then 'not bounded: the log tells no compute time'
        when 'inconsistent_usage' then 'not bounded: the parts exceed the whole'
        else 'known'
    end as bounds_from,
from bounded
group by all
