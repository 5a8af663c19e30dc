-- Where does the cost that the log recorded differ from ours, and why?
-- Read: one row for each model whose log records costs, the largest total gap first (recorded less ours); single calls are in recorded_cost_gaps and recorded_cost_differences, all causes in recorded_cost_causes.
-- Unknown: calls with a recorded cost and none of ours are in recorded_call_count and not in compared_call_count; a main_cause of null: none could be told.
with by_cause as (
    -- Over all files: a cause of every day may be more than the largest of one.
    select
        provider,
        model,
        likely_cause,
        sum(gap_usd) as gap_usd,
    from recorded_cost_causes
    group by provider, model, likely_cause
),

causes as (
    select
        provider,
        model,
        sum(gap_usd) as gap_usd,
        arg_max(likely_cause, abs(gap_usd)) filter (where likely_cause is not null) as main_cause,
    from by_cause
    group by provider, model
)

select
    recorded_cost.provider,
    recorded_cost.model,
    sum(recorded_cost.recorded_call_count) as recorded_call_count,
    sum(recorded_cost.compared_call_count) as compared_call_count,
    sum(recorded_cost.equal_call_count) as equal_call_count,
    sum(recorded_cost.differing_call_count) as differing_call_count,
    max(recorded_cost.largest_gap_usd) as largest_gap_usd,
    any_value(causes.gap_usd) as gap_usd,
    any_value(causes.main_cause) as main_cause,
from recorded_cost
left join causes
    on recorded_cost.provider is not distinct from causes.provider
    and recorded_cost.model is not distinct from causes.model
group by recorded_cost.provider, recorded_cost.model
order by abs(any_value(causes.gap_usd)) desc nulls last, recorded_cost.provider, recorded_cost.model
