-- one row per day of which this catalogue tells otherwise than the one that was published before; none where it is the first
-- day | UTC date; null: calls without a day
-- change | new day, gone, or which moved, comma-separated: calls (their number or tokens; the cost that moves with them is not named), prices (a cost, or whether there is one, of the same calls and tokens), outcomes (of actions; the cost of the labelled ones, where nothing else explains it)
-- call_count_before | calls, as published before; null, as all columns of before: it had no such day
-- call_count | calls; null, as all columns of now: there is no such day any more
-- cost_before_usd | cost of the priced calls, as published before; null: none was priced
-- cost_usd | cost of the priced calls; null: none is priced
-- cost_change_usd | cost_usd less cost_before_usd; null: one of them is
-- unpriced_call_count_before | calls without a cost, as published before
-- unpriced_call_count | calls without a cost
-- labelled_count_before | actions with an outcome, as published before
-- labelled_count | actions with an outcome, success or not
-- success_count_before | actions whose latest outcome was a success, as published before
-- success_count | actions whose latest outcome is a success
-- cost_per_outcome_before_usd | cost of the labelled actions' calls over the successes, as published before; null: no success
-- cost_per_outcome_usd | cost of the labelled actions' calls over the successes; null: no success
with days as (
    select
        *,
        try_cast(name as date) as day,
    from unit_economics
    where dimension = 'day'
),

compared as (
    select
        days,
        before,
        coalesce(days.day, before.day) as day,
        days.call_count is distinct from before.call_count
        or days.input_tokens is distinct from before.input_tokens
        or days.cache_read_tokens is distinct from before.cache_read_tokens
        or days.output_tokens is distinct from before.output_tokens as are_calls_moved,
        days.cost_usd is distinct from before.cost_usd
        or days.unpriced_call_count is distinct from before.unpriced_call_count as is_cost_moved,
        days.labelled_count is distinct from before.labelled_count
        or days.success_count is distinct from before.success_count as are_outcomes_moved,
        days.labelled_cost_usd is distinct from before.labelled_cost_usd as is_labelled_cost_moved,
    from days
    full outer join source.published_days as before
        on days.day is not distinct from before.day
)

select
    day,
    case
        when before.call_count is null then 'new day'
        when days.call_count is null then 'gone'
        else concat_ws(
            ',',
            case when are_calls_moved then 'calls' end,
            case when is_cost_moved and not are_calls_moved then 'prices' end,
            case
                when are_outcomes_moved or not (are_calls_moved or is_cost_moved) then 'outcomes'
            end
        )
    end as change,
    before.call_count as call_count_before,
    days.call_count as call_count,
    before.cost_usd as cost_before_usd,
    days.cost_usd as cost_usd,
    days.cost_usd - before.cost_usd as cost_change_usd,
    before.unpriced_call_count as unpriced_call_count_before,
    days.unpriced_call_count as unpriced_call_count,
    before.labelled_count as labelled_count_before,
    days.labelled_count as labelled_count,
    before.success_count as success_count_before,
    days.success_count as success_count,
    before.cost_per_outcome_usd as cost_per_outcome_before_usd,
    days.cost_per_outcome_usd as cost_per_outcome_usd,
from compared
where (are_calls_moved or is_cost_moved or are_outcomes_moved or is_labelled_cost_moved)
    and exists (from source.published_days)
