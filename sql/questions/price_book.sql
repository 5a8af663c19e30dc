-- one row per rate that was ever believed (PRICE_BOOK)
-- is_published | it is what the published figures are priced with
select
    price_book.*,
    case
        when about.prices_as_of is null then superseded_at is null
        else recorded_at <= about.prices_as_of and (superseded_at is null or superseded_at > about.prices_as_of)
    end as is_published,
from source.price_book as price_book
cross join about
