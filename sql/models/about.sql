-- one row per catalogue: what its figures were made from
-- ledger_version | version of the ledger
-- price_book_hash | hash of the price book; equal hash and equal ledger: equal figures
-- prices_as_of | instant (UTC) whose beliefs about prices it is priced by; null: those of the build itself
-- are_terms_revised | whether tiers, commitments or bills were agreed otherwise at the instant that price_book_revision compares with
-- code_version | version of tokenspread that built it
-- first_day | UTC date of the first call; null: no call has one
-- last_day | UTC date of the last call; null: no call has one
-- unmatched_outcome_count | outcomes of subjects that no call names, see outcomes
select
    (select value from source.settings where key = 'ledger_version') as ledger_version,
    (select value from source.settings where key = 'price_book_hash') as price_book_hash,
    (select value from source.settings where key = 'prices_as_of')::timestamptz as prices_as_of,
    (select value from source.settings where key = 'are_terms_revised') is not null as are_terms_revised,
    (select value from source.settings where key = 'code_version') as code_version,
    (select min(day) from usage_cube) as first_day,
    (select max(day) from usage_cube) as last_day,
    (select count(*) from outcomes where action_id is null) as unmatched_outcome_count,
