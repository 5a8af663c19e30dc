-- one row per dimension and name: percentiles over its actions, values that occur
-- dimension_number | as action_totals has it
-- name | as action_totals has it
-- p50_tokens | median of the tokens of an action
-- p90_tokens | 90th percentile of the same
-- p99_tokens | 99th percentile of the same
-- p50_cost_pico | median cost of an action
-- p90_cost_pico | 90th percentile of the same
-- p99_cost_pico | 99th percentile of the same
-- p50_success_cost_pico | median cost of an action that succeeded
-- p90_success_cost_pico | 90th percentile of the same
-- p99_success_cost_pico | 99th percentile of the same
with value_counts as (
    -- Values with how often they come, which spill where they do not fit the memory: the lists of quantile_disc do not.
    select
        dimension_number,
        name,
        'tokens' as measure,
        tokens as value,
        count(*) as value_count,
    from action_totals
    where value is not null
    group by all
    union all
    select
        dimension_number,
        name,
        'cost' as measure,
        cost_pico as value,
        count(*) as value_count,
    from action_totals
    where value is not null
    group by all
    union all
    select
        dimension_number,
        name,
        'cost of success' as measure,
        cost_pico as value,
        count(*) as value_count,
    from action_totals
    where value is not null and is_success
    group by all
),

ranks as (
    select
        dimension_number,
        name,
        measure,
        value,
        sum(value_count) over (partition by dimension_number, name, measure order by value) as rank,
        sum(value_count) over (partition by dimension_number, name, measure) as total,
    from value_counts
)

select
    dimension_number,
    name,
    min(value) filter (where measure = 'tokens' and reaches(0.5, total, rank)) as p50_tokens,
    min(value) filter (where measure = 'tokens' and reaches(0.9, total, rank)) as p90_tokens,
    min(value) filter (where measure = 'tokens' and reaches(0.99, total, rank)) as p99_tokens,
    min(value) filter (where measure = 'cost' and reaches(0.5, total, rank)) as p50_cost_pico,
    min(value) filter (where measure = 'cost' and reaches(0.9, total, rank)) as p90_cost_pico,
    min(value) filter (where measure = 'cost' and reaches(0.99, total, rank)) as p99_cost_pico,
    min(value) filter (where measure = 'cost of success' and reaches(0.5, total, rank)) as p50_success_cost_pico,
    min(value) filter (where measure = 'cost of success' and reaches(0.9, total, rank)) as p90_success_cost_pico,
    min(value) filter (where measure = 'cost of success' and reaches(0.99, total, rank)) as p99_success_cost_pico,
from ranks
group by dimension_number, name
