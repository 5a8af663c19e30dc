-- model_swaps of the 14 days to $day
from model_swaps()
where swapped_on between $day::date - 13 and $day::date
order by swapped_on, feature
