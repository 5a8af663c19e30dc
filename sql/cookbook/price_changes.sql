-- Which prices changed while the log ran, and by how much?
-- Read: one row for each rate that another one replaced on a day of the log, the newest first; cost_since_usd is what the class of this model has cost from that day on. `tokenspread bridge` tells what the changes cost.
-- Unknown: a change that no source of prices knows of; usd_per_million of null: the class has no rate from then on, or had none.
with rates as (
    select
        price_book.*,
        lag(price_book.usd_per_million) over same_price as usd_per_million_before,
        lag(price_book.valid_from) over same_price is not null or row_number() over same_price > 1 as is_change,
    from price_book
    where price_book.superseded_at is null
    window same_price as (
        partition by
            price_book.provider,
            price_book.model,
            price_book.service_tier,
            price_book.region,
            price_book.is_batch,
            price_book.token_class,
            price_book.context_above,
            price_book.week_second_from,
            price_book.week_second_to
        order by price_book.valid_from nulls first
    )
)

select
    rates.valid_from,
    rates.provider,
    rates.model,
    rates.service_tier,
    rates.region,
    rates.is_batch,
    rates.token_class,
    rates.context_above,
    rates.usd_per_million_before,
    rates.usd_per_million,
    rates.usd_per_million / nullif(rates.usd_per_million_before, 0) - 1 as change_share,
    (
        select sum(cost_by_class.cost_usd)
        from cost_by_class
        where
            cost_by_class.provider is not distinct from rates.provider
            and cost_by_class.model is not distinct from rates.model
            and cost_by_class.service_tier is not distinct from rates.service_tier
            and cost_by_class.region is not distinct from rates.region
            and cost_by_class.is_batch is not distinct from rates.is_batch
            and cost_by_class.token_class = rates.token_class
            and cost_by_class.day >= rates.valid_from::date
    ) as cost_since_usd,
    rates.source,
from rates
cross join log_days('log') as days
where
    rates.is_change
    and rates.usd_per_million is distinct from rates.usd_per_million_before
    and rates.valid_from::date between days.first_day and days.last_day
order by rates.valid_from desc, rates.provider, rates.model, rates.token_class, rates.context_above
