-- one row: all lines of logs and outcome files, those that could not become a call or an outcome, and the days of the calls
-- line_count, quarantined_count | lines
-- first_day, last_day | of the calls that tell a time; null: none does
select
    (select coalesce(sum(line_count), 0)::bigint from files) as line_count,
    (select coalesce(sum(quarantined_count), 0)::bigint from files) as quarantined_count,
    min(day) as first_day,
    max(day) as last_day,
from usage_cube
