-- Which single actions cost the most, and what came of them?
-- Read: one row for each action, the dearest first; ask calls_behind_an_outcome with its action_id for every call with its file and line.
-- Unknown: cost_usd lacks calls without a price, which are counted; an outcome of null may still come. Of one feature, only those among the 1000 dearest of all are known here.
with params as (
    select
        null::varchar as feature, -- one feature, or unattributed; null: all
        null::varchar as user_id, -- one user, or unattributed; null: all
        20::integer as top_count, -- so many actions, at most 1000
)

select
    dearest_actions.action_id,
    coalesce(dearest_actions.feature, 'unattributed') as feature,
    coalesce(dearest_actions.user_id, 'unattributed') as user_id,
    dearest_actions.started_at,
    dearest_actions.call_count,
    dearest_actions.error_call_count,
    dearest_actions.input_tokens,
    dearest_actions.output_tokens,
    dearest_actions.cost_usd,
    dearest_actions.outcome,
    dearest_actions.is_success,
    dearest_actions.unpriced_call_count,
from dearest_actions
cross join params
where
    (params.feature is null or coalesce(dearest_actions.feature, 'unattributed') = params.feature)
    and (params.user_id is null or coalesce(dearest_actions.user_id, 'unattributed') = params.user_id)
order by dearest_actions.cost_usd desc, dearest_actions.action_id
limit (select top_count from params)
