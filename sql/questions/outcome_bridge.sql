-- one row per name of $dimension with labelled actions in either of two periods, and one for all: see outcome_bridge
select *
from outcome_bridge($from_start::date, $from_end::date, $to_start::date, $to_end::date, dimension := $dimension)
order by abs(change_usd) desc nulls last, name
