-- one row per log file (a content, whatever its name); its lines are kept, duplicate, quarantined, other and blank ones
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
-- call_count | calls in the ledger (a line may tell of several)
-- byte_count | bytes read
-- first_seen_at | when it was first read (UTC)
-- last_taken_at | when it was last read (UTC)
with kept_lines as (
    select
        'calls' as kind,
        content_id,
        count(*) as call_count,
        count(distinct line_number) as kept_line_count,
    from source.ledger
    group by content_id
    union all
    select
        'outcomes' as kind,
        content_id,
        0 as call_count,
        count(distinct line_number) as kept_line_count,
    from source.outcomes
    group by content_id
)

select
    contents.content_id,
    contents.path,
    contents.kind,
    contents.shape,
    contents.line_count,
    -- No row of a file is a known zero.
    coalesce(kept_lines.kept_line_count, 0) as kept_line_count,
    contents.call_line_count - coalesce(kept_lines.kept_line_count, 0) as duplicate_count,
    contents.quarantined_line_count as quarantined_count,
    contents.other_line_count as other_count,
    contents.blank_line_count as blank_count,
    coalesce(kept_lines.call_count, 0) as call_count,
    contents.byte_count,
    contents.first_seen_at,
    contents.last_taken_at,
from source.contents as contents
left join kept_lines
    on contents.content_id = kept_lines.content_id
    and contents.kind = kept_lines.kind
