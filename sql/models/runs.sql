-- one row per run of tokenspread on this data folder
-- run_id | identity of the run
-- kind | what was run
-- started_at | start (UTC)
-- ended_at | end (UTC); of the build that made this catalogue, when it began to write it
-- status | how it ended
-- version | version of the ledger that it left
-- price_book_hash | the price book that it used
-- line_count | lines that it read
-- call_count | calls that it added
select
    run_id,
    kind,
    started_at,
    ended_at,
    status,
    version,
    price_book_hash,
    line_count,
    call_count,
from source.runs
