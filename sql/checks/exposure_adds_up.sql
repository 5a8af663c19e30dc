-- What rides on the drivers of each kind adds up to the cost of the name, to the last digit, for every name.
with kinds as (
    select unnest(['provider', 'model', 'token_class']) as kind
),

drivers as (
    select
        dimension,
        name,
        kind,
        sum(cost_usd) as cost_usd,
    from exposure
    group by all
)

select
    unit_economics.dimension,
    unit_economics.name,
    kinds.kind,
    unit_economics.cost_usd,
    drivers.cost_usd as drivers_cost_usd,
from unit_economics
cross join kinds
left join drivers
    on unit_economics.dimension = drivers.dimension
    and unit_economics.name = drivers.name
    and kinds.kind = drivers.kind
where coalesce(unit_economics.cost_usd, 0) <> coalesce(drivers.cost_usd, 0) -- what no class was used of is in no class
