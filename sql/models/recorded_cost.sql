-- one row per provider and model of the calls whose log recorded a cost: theirs and ours, never added to each other
-- provider | who served the calls
-- model | model as served
-- recorded_call_count | calls with a recorded cost
-- compared_call_count | of these, calls that we have a cost for too
-- recorded_cost_usd | recorded cost of the compared calls; null: none
-- cost_usd | our cost of the compared calls; null: none
-- differing_call_count | compared calls that differ by more than a millionth of the larger and a millionth of a dollar
-- uncompared_recorded_cost_usd | recorded cost of the calls that we have no cost for; null: none
with recorded_calls as (
    select
        provider,
        model,
        cost_usd,
        recorded_cost_usd,
        cost_usd is not null as is_compared,
        abs(recorded_cost_usd - cost_usd) as gap_usd,
        greatest(abs(recorded_cost_usd), abs(cost_usd)) as larger_usd,
    from calls
    where recorded_cost_usd is not null
)

select
    provider,
    model,
    count(*) as recorded_call_count,
    count(*) filter (where is_compared) as compared_call_count,
    sum(recorded_cost_usd) filter (where is_compared) as recorded_cost_usd,
    sum(cost_usd) filter (where is_compared) as cost_usd,
    count(*) filter (where gap_usd > 0.000001 and gap_usd > larger_usd * 0.000001) as differing_call_count,
    sum(recorded_cost_usd) filter (where not is_compared) as uncompared_recorded_cost_usd,
from recorded_calls
group by provider, model
