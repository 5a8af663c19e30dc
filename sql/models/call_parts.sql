-- one row per call: what unit_economics groups it by, and what it adds to its action
-- feature | product feature, or unattributed
-- user_name | who acted, or unattributed
-- customer | who is billed, or unattributed
-- model | provider/model, as reports name it
-- day | UTC date, or unknown
-- action_id | the action that the call is part of
-- user_id | who acted; null: unattributed
-- tokens | input plus output; null: not known
-- cost_pico | cost; null: unpriced
-- error_cost_pico | the same of a call with status error or refused; null: of any other
-- named_cost_pico | the same of a call whose action the log names; null: of any other
-- is_success | the action's latest outcome; null: none
with latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
)

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
