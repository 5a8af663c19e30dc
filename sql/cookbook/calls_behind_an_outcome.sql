-- Which calls are behind one outcome, and where in the logs are they?
-- Read: one row for each call of one action, in its order, with file and line; without an action_id that of the dearest action with the given success.
-- Unknown: a call without a cost has its reason in price_status; outcome is null, too, where the action is not among the 1000 dearest (table outcomes has all).
with params as (
    select
        null::varchar as action_id, -- any action; null: the dearest whose outcome is as follows
        false::boolean as is_success, -- of that action: whether its outcome was a success
),

chosen as (
    select
        coalesce(
            max(params.action_id),
            arg_max(dearest_actions.action_id, dearest_actions.cost_usd)
                filter (where dearest_actions.is_success = params.is_success)
        ) as action_id,
    from params
    cross join dearest_actions
)

select
    calls.action_id,
    (select any_value(outcome) from dearest_actions where action_id = (from chosen)) as outcome,
    calls.called_at,
    calls.feature,
    calls.user_id,
    calls.model,
    calls.status,
    calls.input_tokens,
    calls.output_tokens,
    calls.cost_usd,
    calls.price_status,
    calls.source_file,
    calls.line_number,
from calls
where calls.action_id = (from chosen)
order by calls.called_at, calls.source_file, calls.line_number, calls.part
