-- Who costs the most, in everything or in one feature?
-- Read: one row for each user, the dearest first, with what one of their actions takes; the share is of the cost of all users.
-- Unknown: calls without a price are counted and in no cost; calls without a user are the row unattributed.
with params as (
    select
        null::varchar as feature, -- one feature, or unattributed; null: all
        20::integer as top_count, -- so many users
)

select
    tokens_per_action.user_id,
    tokens_per_action.action_count,
    tokens_per_action.calls_per_action,
    tokens_per_action.p90_tokens_per_action,
    tokens_per_action.cost_usd,
    tokens_per_action.cost_per_action_usd,
    tokens_per_action.cost_usd / nullif(sum(tokens_per_action.cost_usd) over (), 0) as cost_share,
    tokens_per_action.unpriced_call_count,
from tokens_per_action
cross join params
where tokens_per_action.user_id is not null and tokens_per_action.feature is not distinct from params.feature
order by tokens_per_action.cost_usd desc nulls last, tokens_per_action.user_id
limit (select top_count from params)
