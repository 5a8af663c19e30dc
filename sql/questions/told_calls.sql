-- one row per call that a text may mean, with its rate card: at most six, and how many there are
-- $prefix | beginning of a call_id; null: the text cannot be one
-- $response_id | the text as it is
-- $path, $tail, $line_number | the text as a place in a log: its path made absolute, or its end with a slash before it
with meant as (
    select *
    from calls
    where
        starts_with(call_id, $prefix::varchar)
        or response_id = $response_id
        or (line_number = $line_number::bigint and (source_file = $path or ends_with('/' || source_file, $tail)))
)

select
    meant.*,
    count(*) over () as meant_count,
    rate_cards.valid_from as card_valid_from,
    rate_cards.valid_to as card_valid_to,
    rate_cards.week_second_from as card_week_second_from,
    rate_cards.week_second_to as card_week_second_to,
    rate_cards.context_above as card_context_above,
    rate_cards.context_up_to as card_context_up_to,
from meant
left join source.rate_cards as rate_cards
    on meant.card_id = rate_cards.card_id
order by meant.call_id
limit 6
