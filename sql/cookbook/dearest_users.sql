-- The users who cost the most, with what one of their actions takes.
select
    user_id,
    action_count,
    calls_per_action,
    p90_tokens_per_action,
    cost_usd,
    cost_per_action_usd,
    unpriced_call_count,
from tokens_per_action
where feature is null and user_id is not null
order by cost_usd desc nulls last
limit 20
