-- Every call of the ledger is in calls once: overlapping rate cards would multiply it, and its cost.
select
    (select count(*) from calls) as call_count,
    (select count(*) from source.ledger) as ledger_count,
where call_count <> ledger_count
