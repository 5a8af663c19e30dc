-- Which calls are behind one outcome, and where in the logs are they?
-- Read: one row for each call of one action, in its order, with file and line; without an action_id that of the dearest action with the given success. Of an action_id that several users, features or customers have, each is an action of its own, one after the other.
-- Unknown: a call without a cost has its reason in price_status; outcome is null, too, where the action is not among the 1000 dearest (table outcomes has all).
with params as (
    select
        null::varchar as action_id, -- any action; null: the dearest whose outcome is as follows
        false::boolean as is_success, -- of that action: whether its outcome was a success
),

chosen as (
    select dearest_actions.*
    from dearest_actions
    cross join params
    where
        case
            when params.action_id is null then dearest_actions.is_success = params.is_success
            else dearest_actions.action_id = params.action_id
        end
    order by dearest_actions.cost_usd desc, dearest_actions.action_id, feature, user_id, customer_id
    limit 1
),

asked as (
    select
        coalesce(params.action_id, chosen.action_id) as action_id,
        params.action_id is null as is_one_action,
        chosen.* exclude (action_id),
    from params
    left join chosen
        on true
)

select
    calls.action_id,
    asked.outcome,
    calls.called_at,
    calls.feature,
    calls.user_id,
    calls.customer_id,
    calls.model,
    calls.status,
    calls.input_tokens,
    calls.output_tokens,
    calls.cost_usd,
    calls.price_status,
    calls.source_file,
    calls.line_number,
from calls
inner join asked
    on calls.action_id = asked.action_id
where
    not asked.is_one_action
    or (
        calls.feature is not distinct from asked.feature
        and calls.user_id is not distinct from asked.user_id
        and calls.customer_id is not distinct from asked.customer_id
    )
order by
    calls.feature, calls.user_id, calls.customer_id, calls.called_at, calls.source_file, calls.line_number, calls.part
