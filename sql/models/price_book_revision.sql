-- one row per provider, model and kind of change: what a revision of the price book does to the cost of the same calls
-- provider | who served the calls
-- model | model that the price was looked up for
-- change | repriced; newly_priced: no cost was known then; no_longer_priced: none is known now
-- call_count | calls
-- cost_then_usd | their cost, compute time included, at the prices believed then; null: none
-- cost_now_usd | their cost, compute time included, at the prices believed now; null: none
-- revision_usd | the cost now less the cost then, where one is missing the other alone
with other as (
    select
        *,
        price_status as other_card_status,
    from source.book_rates
    where book in ('believed_then', 'believed_now')
),

-- Call by call: one class that a book has no rate of would hide all that its cell holds.
costed as (
    select
        calls.provider,
        coalesce(calls.model, calls.model_requested) as priced_model,
        other.book as other_book,
        calls.cost_pico as own_tokens_pico,
        calls.time_cost_pico as own_time_pico,
        cost_of(calls, other) as other_card_pico,
        judged(calls, other, other.other_card_status, other_card_pico) as other_status,
        judged_cost(other_status, other_card_pico) as other_tokens_pico,
        time_cost_of(calls, other) as other_time_pico,
    from (
        select
            *,
            1 as call_count,
        from calls
    ) as calls
    inner join other
        on calls.matched_card_id = other.card_id
),

ordered as (
    select
        provider,
        priced_model as model,
        -- A cost of time alone, or of tokens alone, is a cost.
        coalesce(own_tokens_pico + coalesce(own_time_pico, 0), own_time_pico) as own_pico,
        coalesce(other_tokens_pico + coalesce(other_time_pico, 0), other_time_pico) as other_pico,
        case when other_book = 'believed_then' then other_pico else own_pico end as then_pico,
        case when other_book = 'believed_then' then own_pico else other_pico end as now_pico,
    from costed
)

select
    provider,
    model,
    case
        when then_pico is null then 'newly_priced'
        when now_pico is null then 'no_longer_priced'
        else 'repriced'
    end as change,
    count(*) as call_count,
    usd_from_pico(sum(then_pico)) as cost_then_usd,
    usd_from_pico(sum(now_pico)) as cost_now_usd,
    -- A price that is missing on one side is no zero, but the totals differ by all of the other side.
    usd_from_pico(sum(coalesce(now_pico, 0) - coalesce(then_pico, 0))) as revision_usd,
from ordered
where then_pico is distinct from now_pico
group by all
