-- one row per catalogue: what its figures were made from
-- ledger_version | version of the ledger
-- price_book_hash | hash of the price book; equal hash and equal ledger: equal figures
-- code_version | version of tokenspread that built it
select
    max(value) filter (where key = 'ledger_version') as ledger_version,
    max(value) filter (where key = 'price_book_hash') as price_book_hash,
    max(value) filter (where key = 'code_version') as code_version,
from source.settings
