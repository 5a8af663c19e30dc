-- one row per scenario of the published tables: its name, actual first
select distinct on (scenario_order) scenario
from scenario_by_dimension
order by scenario_order
