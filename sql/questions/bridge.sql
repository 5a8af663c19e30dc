-- one row per name of $dimension with calls in either of two periods, and one for all: see the table macro bridge
select *
from bridge($from_start::date, $from_end::date, $to_start::date, $to_end::date, dimension := $dimension)
order by abs(change_usd) desc nulls last, name
