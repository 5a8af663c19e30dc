-- one row per kind of call whose counts do not add up; they are kept as the log tells them, but where the finding says so
-- finding | what does not add up
-- shape | log format
-- provider | who served the calls
-- model | model as served
-- call_count | calls that it was found in (a call may be in several rows)
-- input_tokens | their input
-- output_tokens | their output
-- cost_usd | what they cost; null: all of it unpriced
-- unpriced_call_count | calls among them without a cost
select
    findings.finding,
    calls.shape,
    calls.provider,
    calls.model,
    count(*) as call_count,
    sum(calls.input_tokens) as input_tokens,
    sum(calls.output_tokens) as output_tokens,
    usd_from_pico(sum(calls.cost_pico)) as cost_usd,
    count(*) filter (where calls.cost_pico is null) as unpriced_call_count,
from calls
cross join unnest(string_split(calls.guard, '; ')) as findings (finding)
where calls.guard is not null
group by findings.finding, calls.shape, calls.provider, calls.model
