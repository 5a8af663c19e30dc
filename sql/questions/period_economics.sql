-- one row per name of $dimension with calls from $first_day to $last_day, and one for all: what it took, cost and led to
select *
from period_economics($first_day::date, $last_day::date, dimension := $dimension)
order by cost_usd desc nulls last, name
