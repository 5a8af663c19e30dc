-- one row per provider, model and kind of change: what a revision of the price book does to the cost of the same calls
-- provider | who served the calls
-- model | model that the price was looked up for
-- change | repriced; newly_priced: no price was believed then; no_longer_priced: none is believed now
-- call_count | calls
-- cost_then_usd | their cost at the prices believed then; null: none
-- cost_now_usd | their cost at the prices believed now; null: none
-- revision_usd | the cost now less the cost then, where one is missing the other alone
with other as (
    select *
    from source.book_rates
    where book in ('believed_then', 'believed_now')
),

cell_costs as (
    select
        cells.provider,
        cells.priced_model as model,
        other.book as other_book,
        cells.call_count,
        cells.cost_pico as own_pico,
        case when other.price_status is not null then cost_of(cells, other) end as other_pico,
    from usage_cube as cells
    inner join other
        on cells.card_id = other.card_id
),

ordered as (
    select
        provider,
        model,
        call_count,
        case when other_book = 'believed_then' then other_pico else own_pico end as then_pico,
        case when other_book = 'believed_then' then own_pico else other_pico end as now_pico,
    from cell_costs
)

select
    provider,
    model,
    case
        when then_pico is null then 'newly_priced'
        when now_pico is null then 'no_longer_priced'
        else 'repriced'
    end as change,
    sum(call_count)::bigint as call_count,
    usd_from_pico(sum(then_pico)) as cost_then_usd,
    usd_from_pico(sum(now_pico)) as cost_now_usd,
    -- A price that is missing on one side is no zero, but the totals differ by all of the other side.
    usd_from_pico(sum(coalesce(now_pico, 0) - coalesce(then_pico, 0))) as revision_usd,
from ordered
where then_pico is distinct from now_pico
group by all
