-- What a FOCUS dataset of these calls does not hold, or holds by a rule: one row for each reason
-- reason | an unpriced call's price_status; not_billed; undated: without a day; no_list_price: at the contract's price in ListCost
-- call_count | calls; null: no call
-- cost_usd | their cost; null: none, or unknown
select
    case
        when cost_pico is null then price_status
        when price_status = 'not_billed' then price_status
        else 'undated'
    end as reason,
    sum(call_count)::bigint as call_count,
    usd_from_pico(sum(case when price_status <> 'not_billed' then cost_pico end)) as cost_usd,
from usage_cube
where day is null or cost_pico is null or price_status = 'not_billed'
group by all
union all
select
    'undated_costs_apart' as reason,
    null as call_count,
    usd_from_pico(sum(cost_pico)) as cost_usd,
from costs_apart
where scenario_order = 0 and is_allocated and day is null
having count(*) > 0
union all
select
    'no_list_price' as reason,
    null as call_count,
    usd_from_pico(sum(cost)) as cost_usd,
from (
    select classes.cost
    from (
        select
            summed.card_id,
            unnest(class_costs(summed, rates), recursive := true),
        from (
            select
                card_id,
                sum(columns('(.*_(tokens|count))')) as '\1',
            from usage_cube
            where day is not null and cost_pico is not null and price_status not in ('not_billed', 'billed_by_time')
            group by card_id
        ) as summed
        inner join focus_rates as rates
            on summed.card_id = rates.card_id and not rates.is_list
    ) as classes
    inner join focus_meters as meters
        on classes.card_id = meters.card_id and classes.token_class = meters.token_class
    where classes.quantity <> 0 and meters.list_pico is null
    union all
    select time_cost_pico as cost
    from usage_cube
    where day is not null and time_cost_pico is not null
) as unlisted
having count(*) > 0
