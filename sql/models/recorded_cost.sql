-- one row per log file, provider, model and day of the calls whose log recorded a cost: which cost what the log says
-- content_id | log file, see files
-- source_file | path of that log file
-- provider | who served the calls
-- model | model as served
-- day | UTC date of the calls; null: the log does not say
-- recorded_call_count | calls with a recorded cost
-- compared_call_count | of these, calls that we have a cost for too
-- equal_call_count | compared calls that do not differ
-- differing_call_count | compared calls that differ by more than a millionth of the larger and of a dollar
-- equal_recorded_cost_usd | recorded cost of the equal calls; null: none
-- equal_cost_usd | our cost of the equal calls; null: none
-- largest_gap_usd | largest difference of a differing call; null: none differs
-- uncompared_recorded_cost_usd | recorded cost of the calls that we have no cost for; null: none
with recorded_calls as (
    select
        content_id,
        source_file,
        provider,
        model,
        day,
        cost_usd,
        recorded_cost_usd,
        costs_differ(recorded_cost_usd, cost_usd) as is_different,
    from calls
    where recorded_cost_usd is not null
)

select
    content_id,
    source_file,
    provider,
    model,
    day,
    count(*) as recorded_call_count,
    count(cost_usd) as compared_call_count,
    count(*) filter (where not is_different) as equal_call_count,
    count(*) filter (where is_different) as differing_call_count,
    -- What differs is in no sum: one absurd record would make all of it.
    sum(recorded_cost_usd) filter (where not is_different) as equal_recorded_cost_usd,
    sum(cost_usd) filter (where not is_different) as equal_cost_usd,
    max(abs(recorded_cost_usd - cost_usd)) filter (where is_different) as largest_gap_usd,
    sum(recorded_cost_usd) filter (where cost_usd is null) as uncompared_recorded_cost_usd,
from recorded_calls
group by all
