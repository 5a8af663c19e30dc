-- one row per action within feature, user and customer, of the 1000 that cost most; those without any cost are not among them
-- action_id | what one user did with a feature: one or more calls
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- started_at | instant of its first call (UTC); null: no call has one
-- call_count | calls, retries and failures included
-- error_call_count | calls with status error or refused
-- input_tokens | input of the calls whose usage is known, cached included; null: of none
-- output_tokens | output of the calls whose usage is known; null: of none
-- cost_usd | cost of its priced calls, failed ones included
-- unpriced_call_count | calls without a cost, missing in cost_usd
-- outcome | name of its latest outcome; null: none told yet
-- is_success | whether that was a success; null: unlabelled
select
    action_id,
    feature,
    user_id,
    customer_id,
    started_at,
    call_count,
    error_call_count,
    input_tokens,
    output_tokens,
    cost_usd,
    unpriced_call_count,
    outcome,
    is_success,
from actions
where cost_pico is not null
order by cost_pico desc, action_id, feature, user_id, customer_id
limit 1000
