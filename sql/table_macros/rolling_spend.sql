-- one row per dimension (all, feature, user, customer, model) and name with a call in the last day_count days of the log, and one for all: what they cost
-- rolling_spend(day_count, as_of := null)
-- dimension | all, feature, user, customer or model
-- name | the feature, user, ... or unattributed; provider/model; all
-- first_day | first of these days, or the log's first where it spans fewer
-- last_day | as_of; if not given, the last day of the log that is over: its calls go on until 23:00 UTC or later, else the day before
-- cost_usd | cost of tokens and fees of the priced calls; null: none is priced
-- call_count | calls; those without a day are in no row
-- unpriced_call_count | calls without a cost, missing in cost_usd
with span as (
    select
        min(day) as first_day,
        max(day) as final_day,
        (select max(called_at) from source.ledger) as last_called_at,
    from usage_cube
),

asked as (
    select
        coalesce(as_of::date, last_day_over(first_day, final_day, last_called_at)) as known_to,
        case
            when day_count >= 1 then greatest(first_day, known_to - day_count::integer + 1)
            else error(concat('day_count is ', day_count, '; ask for 1 day or more'))
        end as known_from,
    from span
    where known_to between first_day and final_day
),

dimensions as (
    select unnest(['all', 'feature', 'user', 'customer', 'model']) as dimension
),

costs as (
    select
        dimensions.dimension,
        name_in(dimensions.dimension, cells) as name,
        asked.known_from,
        asked.known_to,
        -- Days without any call cost nothing, which is known.
        case when count(cells.cell_id) = 0 then 0 else sum(cells.cost_pico) end as cost_pico,
        coalesce(sum(cells.call_count), 0)::bigint as call_count,
        coalesce(sum(cells.call_count) filter (where cells.cost_pico is null), 0)::bigint as unpriced_call_count,
    from asked
    cross join dimensions
    left join usage_cube as cells
        on cells.day between asked.known_from and asked.known_to
    group by all
)

select
    dimension,
    name,
    known_from as first_day,
    known_to as last_day,
    usd_from_pico(cost_pico) as cost_usd,
    call_count,
    unpriced_call_count,
from costs
where call_count > 0 or dimension = 'all'
