-- one row: what the shares of the gate are of: all lines, and the calls of the days from $since on ('': of all days)
-- line_count, quarantined_count | lines of logs and outcome files, and those that could not become a call or an outcome
-- call_count, unpriced_call_count | calls, and those without a cost
-- first_day | name of the first day that has any; null: none has
select
    (select coalesce(sum(line_count), 0)::bigint from files) as line_count,
    (select coalesce(sum(quarantined_count), 0)::bigint from files) as quarantined_count,
    coalesce(sum(call_count), 0)::bigint as call_count,
    coalesce(sum(unpriced_call_count), 0)::bigint as unpriced_call_count,
    min(name) as first_day,
from unit_economics
where
    dimension = 'day'
    and name >= $since -- calls without a time are of the day unknown, after all dates
