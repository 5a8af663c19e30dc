-- From every failed outcome back to the calls that it cost, with their files and lines.
select
    outcomes.outcome,
    outcomes.action_id,
    calls.called_at,
    calls.model,
    calls.status,
    calls.cost_usd,
    calls.price_status,
    calls.source_file,
    calls.line_number,
from outcomes
inner join calls
    on outcomes.action_id = calls.action_id
where not outcomes.is_success
order by outcomes.action_id, calls.called_at
