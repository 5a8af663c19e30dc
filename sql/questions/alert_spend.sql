-- rolling_spend of the $day_count days to $day: the names of $by, or $only_name alone, that cost about $limit_usd or more
from rolling_spend($day_count, as_of := $day)
where
    dimension = $by
    and ($only_name::varchar is null or name = $only_name)
    -- A double rounds: a little below the limit, what is above it is told exactly by who asks.
    and cost_usd >= $limit_usd::double * 0.999999
order by cost_usd desc, name
