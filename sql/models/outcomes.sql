-- one row per action and outcome name: the latest telling of it; of tellings of one instant, success and the higher value
-- action_id | action that the outcome belongs to; null: no call of this subject is in the ledger yet
-- subject_id | what the telling named: an action_id, a response_id or a call_id
-- matched_by | action_id, response_id or call_id, tried in this order; null: no match
-- outcome | name of the outcome
-- is_success | whether it was a success; null: not told
-- value_usd | value of the outcome in USD; null: not told
-- occurred_at | when it happened (UTC); null: not told, such a telling is the oldest
-- is_latest | the latest telling over all names of its action: the one that table actions shows
-- content_id | file that told it, see files
-- line_number | line of that file, from 1
with subjects as (
    select distinct
        subject_id,
        -- A call_id is 32 hexadecimal digits, in the ledger two numbers.
        case when length(subject_id) = 32 then try_cast('0x' || subject_id[1:16] as ubigint) end as key_hi,
        case when length(subject_id) = 32 then try_cast('0x' || subject_id[17:32] as ubigint) end as key_lo,
    from source.outcomes
),

matches as (
    select distinct
        ledger.action_id as subject_id,
        ledger.action_id,
        1 as preference,
    from source.ledger as ledger
    semi join subjects
        on ledger.action_id = subjects.subject_id
    union all
    select
        ledger.response_id as subject_id,
        min(ledger.action_id) as action_id,
        2 as preference,
    from source.ledger as ledger
    semi join subjects
        on ledger.response_id = subjects.subject_id
    group by ledger.response_id
    union all
    select
        subjects.subject_id,
        min(ledger.action_id) as action_id,
        3 as preference,
    from source.ledger as ledger
    inner join subjects
        on ledger.key_hi = subjects.key_hi
        and ledger.key_lo = subjects.key_lo
    group by subjects.subject_id
),

matched_subjects as (
    select
        subject_id,
        arg_min(action_id, preference) as action_id,
        ['action_id', 'response_id', 'call_id'][min(preference)] as matched_by,
    from matches
    group by subject_id
),

tellings as (
    select
        matched_subjects.action_id,
        tellings.subject_id,
        matched_subjects.matched_by,
        tellings.outcome,
        tellings.is_success,
        usd_from_pico(tellings.value_pico) as value_usd,
        tellings.occurred_at,
        tellings.content_id,
        tellings.line_number,
        -- Subjects without a call stay apart from each other.
        coalesce(matched_subjects.action_id, 'subject ' || tellings.subject_id) as told_of,
    from source.outcomes as tellings
    left join matched_subjects
        on tellings.subject_id = matched_subjects.subject_id
),

latest as (
    select *
    from tellings
    qualify row_number() over (
        partition by told_of, outcome
        -- What is told decides before where it is told: no order of lines, files or runs may change a figure.
        order by
            occurred_at desc nulls last,
            is_success desc nulls last,
            value_usd desc nulls last,
            subject_id,
            content_id,
            line_number,
    ) = 1
)

select
    action_id,
    subject_id,
    matched_by,
    outcome,
    is_success,
    value_usd,
    occurred_at,
    row_number() over (
        partition by told_of
        order by occurred_at desc nulls last, is_success desc nulls last, value_usd desc nulls last, outcome
    ) = 1 as is_latest,
    content_id,
    line_number,
from latest
