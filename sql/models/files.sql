-- one row per log file (a content, whatever its name); its lines are kept, duplicate, quarantined, other, blank and pruned ones
-- content_id | identity of the content
-- path | where it was first read from
-- kind | calls or outcomes
-- shape | log format
-- line_count | lines read
-- kept_line_count | lines with at least one call in the ledger; of a file of outcomes, lines with an outcome
-- duplicate_count | lines that only tell of calls known from another line
-- quarantined_count | lines that could not become a call or an outcome, see quarantine
-- other_count | lines that tell of neither
-- blank_count | empty lines
-- pruned_count | lines of which every call was pruned, and so is no longer in the ledger; of a file of outcomes, every outcome
-- call_count | calls in the ledger (a line may tell of several); null: a file of outcomes
-- no_feature_call_count | of these, without a feature; null: a file of outcomes
-- no_user_call_count | of these, without a user; null: a file of outcomes
-- no_customer_call_count | of these, without a customer; null: a file of outcomes
-- outcome_count | outcomes that it tells, on lines of their own or of calls
-- byte_count | bytes read
-- first_seen_at | when it was first read (UTC)
-- last_taken_at | when it was last read (UTC)
with calls_by_file as (
    select
        content_id,
        count(*) as call_count,
        count(*) filter (where feature is null) as no_feature_call_count,
        count(*) filter (where user_id is null) as no_user_call_count,
        count(*) filter (where customer_id is null) as no_customer_call_count,
        count(distinct line_number) as line_count,
    from source.ledger
    group by content_id
),

outcomes_by_file as (
    select
        content_id,
        count(*) as outcome_count,
        count(distinct line_number) as line_count,
    from source.outcomes
    group by content_id
),

counted as (
    -- No row of a file is a known zero.
    select
        contents.*,
        case when contents.kind = 'calls' then coalesce(calls_by_file.call_count, 0) end as call_count,
        case when contents.kind = 'calls' then coalesce(calls_by_file.no_feature_call_count, 0) end
            as no_feature_call_count,
        case when contents.kind = 'calls' then coalesce(calls_by_file.no_user_call_count, 0) end as no_user_call_count,
        case when contents.kind = 'calls' then coalesce(calls_by_file.no_customer_call_count, 0) end
            as no_customer_call_count,
        coalesce(outcomes_by_file.outcome_count, 0) as outcome_count,
        coalesce(
            case when contents.kind = 'calls' then calls_by_file.line_count else outcomes_by_file.line_count end, 0
        ) as kept_line_count,
    from source.contents as contents
    left join calls_by_file
        on contents.content_id = calls_by_file.content_id
    left join outcomes_by_file
        on contents.content_id = outcomes_by_file.content_id
)

select
    content_id,
    path,
    kind,
    shape,
    line_count,
    kept_line_count,
    call_line_count - kept_line_count - pruned_line_count as duplicate_count,
    quarantined_line_count as quarantined_count,
    other_line_count as other_count,
    blank_line_count as blank_count,
    pruned_line_count as pruned_count,
    call_count,
    no_feature_call_count,
    no_user_call_count,
    no_customer_call_count,
    outcome_count,
    byte_count,
    first_seen_at,
    last_taken_at,
from counted
