-- one row per dimension (feature, user, customer) and scenario: how many of those that pay have a margin below zero, and by how much
-- dimension | feature, user or customer
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- name_count | names in the dimension
-- known_count | of these, names that revenue is told for
-- underwater_count | of these, names whose margin is below zero
-- undecided_count | of these, names whose margin is not known to be below zero, nor to survive: some of their calls are unpriced
-- loss_usd | sum of the margins below zero; zero: nobody is known to be under water; null: no revenue is told for any
-- worst_name | name with the lowest margin of those under water; of equal ones the first in the alphabet; null: none is
-- worst_margin_usd | its margin
-- unpriced_call_count | calls without a cost, of the names that revenue is told for: a loss is at least what is shown
select
    dimension,
    scenario,
    scenario_order,
    count(*) as name_count,
    count(revenue_usd) as known_count,
    count(*) filter (where not survives) as underwater_count,
    count(*) filter (where revenue_usd is not null and survives is null) as undecided_count,
    -- No margin below zero is a known zero, where there are margins.
    case when known_count > 0 then coalesce(sum(margin_usd) filter (where margin_usd < 0), 0) end as loss_usd,
    first(name order by margin_usd, name) filter (where margin_usd < 0) as worst_name,
    min(margin_usd) filter (where margin_usd < 0) as worst_margin_usd,
    coalesce(sum(unpriced_call_count) filter (where revenue_usd is not null), 0)::bigint as unpriced_call_count,
from scenario_by_dimension
where dimension in ('feature', 'user', 'customer')
group by dimension, scenario, scenario_order
