-- Which prices changed while the log ran, and by how much?
-- Read: one row for each change of a rate on a day of the log, the newest first, for so many hours of the UTC week (168: all) and for calls with more input than context_above; cost_since_usd is what the class of this model has cost in these hours and contexts from that day on. `tokenspread bridge` tells what the changes cost.
-- Unknown: a change that no source of prices knows of; usd_per_million of null: the class has no rate from then on, or had none. Which hours: price_changes() tells its windows. Calls without a day or a price are in no cost.
with changes as (
    select *
    from price_changes()
),

classes as (
    select
        cells.day,
        cells.provider,
        cells.priced_model,
        cells.service_tier,
        cells.region,
        cells.is_batch,
        cells.context_band,
        cells.time_band,
        unnest(class_costs(cells, rate_cards), recursive := true),
    from usage_cube as cells
    inner join rate_cards
        on cells.card_id = rate_cards.card_id
    where cells.cost_pico is not null and cells.priced_model in (select model from changes)
),

costs as (
    select
        day,
        provider,
        priced_model,
        service_tier,
        region,
        is_batch,
        context_band,
        time_band,
        token_class,
        sum(cost) as cost_pico,
    from classes
    where quantity <> 0
    group by all
),

parts as (
    select
        changes.*,
        (
            select sum(costs.cost_pico)
            from costs
            where
                costs.provider is not distinct from changes.provider
                and costs.priced_model is not distinct from changes.model
                and costs.service_tier is not distinct from changes.service_tier
                and costs.region is not distinct from changes.region
                and costs.is_batch is not distinct from changes.is_batch
                and costs.token_class = changes.token_class
                and costs.day >= changes.changed_at::date
                and costs.time_band >= changes.week_second_from
                and costs.time_band < changes.week_second_to
                and costs.context_band >= changes.context_above
                and (changes.context_up_to is null or costs.context_band < changes.context_up_to)
        ) as cost_pico,
    from changes
)

select
    changed_at,
    provider,
    model,
    service_tier,
    region,
    is_batch,
    token_class,
    context_above,
    context_up_to,
    sum(week_second_to - week_second_from) / 3600 as hours_a_week,
    usd_per_million_before,
    usd_per_million,
    usd_per_million / nullif(usd_per_million_before, 0) - 1 as change_share,
    usd_from_pico(sum(cost_pico)) as cost_since_usd,
    source,
from parts
group by all
order by changed_at desc, provider, model, service_tier, region, is_batch, token_class, context_above, usd_per_million_before
