-- one row per dimension, name and action: whole actions, in every row of unit_economics that they are in
-- dimension_number | which dimension, as `grouping` numbers it: 15 feature, 23 user, 27 customer, 29 model, 30 day, 31 all
-- name | the feature, user, ... as unit_economics has it
-- is_success | the action's latest outcome; null: none
-- is_user_known | whether a call of it names its user
-- tokens | input plus output; null: not known of every call
-- cost_pico | cost; null: not known of every call
-- error_cost_pico | of the cost, that of calls with status error or refused
-- named_cost_pico | of the cost, that in an action that the log names
with latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

named_calls as (
    select
        coalesce(calls.feature, 'unattributed') as feature,
        coalesce(calls.user_id, 'unattributed') as user_name,
        coalesce(calls.customer_id, 'unattributed') as customer,
        concat_ws('/', calls.provider, coalesce(calls.model, 'unknown')) as model,
        coalesce(calls.day::varchar, 'unknown') as day,
        calls.action_id,
        calls.user_id,
        -- What was refused took none.
        coalesce(
            calls.input_tokens::hugeint + calls.output_tokens, case when calls.status = 'refused' then 0 end
        ) as tokens,
        calls.cost_pico,
        case when calls.status in ('error', 'refused') then calls.cost_pico end as error_cost_pico,
        -- What the log names no action of is its own: named by its response, or by its line.
        case
            when calls.action_id <> coalesce(
                calls.response_id, concat_ws('-', 'call', calls.content_id, calls.line_number, calls.part)
            ) then calls.cost_pico
        end as named_cost_pico,
        latest_outcomes.is_success,
    from calls
    left join latest_outcomes
        on calls.action_id = latest_outcomes.action_id
)

-- Whole actions in every row first: one over two models is in both, and once in all. Success belongs to the action.
select
    grouping(feature, user_name, customer, model, day) as dimension_number,
    coalesce(feature, user_name, customer, model, day, 'all') as name,
    is_success,
    count(user_id) > 0 as is_user_known,
    -- Known only where they are of every call.
    case when count(*) = count(tokens) then sum(tokens) end as tokens,
    case when count(*) = count(cost_pico) then sum(cost_pico) end as cost_pico,
    sum(error_cost_pico) as error_cost_pico,
    sum(named_cost_pico) as named_cost_pico,
from named_calls
group by grouping sets (
    (action_id, is_success, feature),
    (action_id, is_success, user_name),
    (action_id, is_success, customer),
    (action_id, is_success, model),
    (action_id, is_success, day),
    (action_id, is_success)
)
