-- one row per name of a dimension (feature, user, customer, model), the dearest first: what it and those before it cost
-- concentration_curve(dimension)
-- rank | 1: the dearest; equals by name
-- name | the feature, user, customer, or provider/model; unattributed calls are no name and left out
-- cost_usd | cost of its priced calls; a name without one is left out
-- cost_pico | cost_usd in integer pico-USD
-- cost_share | cost_usd over the cost of all names
-- cumulative_cost_usd | cost of the names up to this one
-- cumulative_share | cumulative_cost_usd over the cost of all names
-- name_share | rank over the number of names
-- unpriced_call_count | its calls without a cost, missing in its cost
with named_cells as (
    select
        known_name_in(dimension, usage_cube) as name,
        call_count,
        cost_pico,
    from usage_cube
),

names as (
    select
        name,
        sum(cost_pico) as cost_pico,
        coalesce(sum(call_count) filter (where cost_pico is null), 0)::bigint as unpriced_call_count,
    from named_cells
    where name is not null
    group by name
    having sum(cost_pico) is not null
),

ranked as (
    select
        *,
        row_number() over (order by cost_pico desc, name) as rank,
        count(*) over () as name_count,
        sum(cost_pico) over () as total_pico,
    from names
),

cumulated as (
    select
        *,
        sum(cost_pico) over (order by rank rows unbounded preceding) as cumulative_pico,
    from ranked
)

select
    rank,
    name,
    usd_from_pico(cost_pico) as cost_usd,
    cost_pico,
    cost_pico / nullif(total_pico, 0) as cost_share,
    usd_from_pico(cumulative_pico) as cumulative_cost_usd,
    cumulative_pico / nullif(total_pico, 0) as cumulative_share,
    rank / name_count as name_share,
    unpriced_call_count,
from cumulated
order by rank
