-- one row per dimension asked for (feature, user, customer, model): how much of its cost a few names are
-- concentration(dimension)
-- dimension | as asked for
-- name_count | names with a known cost; unattributed calls are no name
-- cost_usd | cost of these names; null: none
-- unattributed_cost_usd | cost of the calls that belong to no name; null: they have none that is known
-- unattributed_share | unattributed_cost_usd over all cost
-- top_1_share | cost of the dearest name over the cost of all names
-- top_5_share | of the five dearest; of all where there are fewer
-- top_10_share | of the ten dearest
-- top_20_share | of the twenty dearest
-- top_1_percent_share | of the dearest percent of names, rounded up to whole names
-- top_5_percent_share | of the dearest five percent of names, rounded up to whole names
-- gini_index | 0: all names cost the same; towards 1: one name is all of it
-- hhi_index | Herfindahl-Hirschman: sum of the squared cost shares; 1 over it is how many equal names would be as concentrated
-- names_for_80_percent_count | fewest names that are 80 % of the cost of all names
-- unpriced_call_count | calls without a cost, of names or not: missing in all of these
with names as (
    select
        *,
        sum(cost_pico) over (order by rank rows unbounded preceding) - cost_pico as cost_before_pico,
        sum(cost_pico) over () as total_pico,
        count(*) over () as name_count,
    from concentration_curve(dimension)
),

figures as (
    select
        count(*) as name_count,
        sum(cost_pico) as cost_pico,
        nullif(sum(cost_pico), 0) as divisor,
        sum(cost_pico) filter (where rank <= 1) as top_1_pico,
        sum(cost_pico) filter (where rank <= 5) as top_5_pico,
        sum(cost_pico) filter (where rank <= 10) as top_10_pico,
        sum(cost_pico) filter (where rank <= 20) as top_20_pico,
        sum(cost_pico) filter (where 100 * (rank - 1) < name_count) as top_1_percent_pico,
        sum(cost_pico) filter (where 100 * (rank - 1) < 5 * name_count) as top_5_percent_pico,
        sum(rank * cost_pico) as ranked_pico,
        -- In order of rank, so that the same names always come to the same last digit.
        sum(cost_share * cost_share order by rank) as hhi_index,
        count(*) filter (where 5 * cost_before_pico < 4 * total_pico) as names_for_80_percent_count,
    from names
),

totals as (
    select
        sum(cost_pico) as cost_pico,
        -- No unattributed call is a known zero, unattributed calls without a cost are not.
        case
            when count(*) = count(known_name_in(dimension, usage_cube)) then 0
            else sum(cost_pico) filter (where known_name_in(dimension, usage_cube) is null)
        end as unattributed_pico,
        coalesce(sum(call_count) filter (where cost_pico is null), 0)::bigint as unpriced_call_count,
    from usage_cube
)

select
    dimension as dimension,
    figures.name_count,
    usd_from_pico(figures.cost_pico) as cost_usd,
    usd_from_pico(totals.unattributed_pico) as unattributed_cost_usd,
    totals.unattributed_pico / nullif(totals.cost_pico, 0) as unattributed_share,
    figures.top_1_pico / figures.divisor as top_1_share,
    figures.top_5_pico / figures.divisor as top_5_share,
    figures.top_10_pico / figures.divisor as top_10_share,
    figures.top_20_pico / figures.divisor as top_20_share,
    figures.top_1_percent_pico / figures.divisor as top_1_percent_share,
    figures.top_5_percent_pico / figures.divisor as top_5_percent_share,
    ((figures.name_count + 1) * figures.cost_pico - 2 * figures.ranked_pico) / (figures.name_count * figures.divisor)
        as gini_index,
    figures.hhi_index,
    case when figures.divisor is not null then figures.names_for_80_percent_count end as names_for_80_percent_count,
    totals.unpriced_call_count,
from figures
cross join totals
