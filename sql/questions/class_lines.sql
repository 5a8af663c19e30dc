-- one row per call and class that it used: what was used, at which rate, and the row of the price book that it is from
-- $call_ids | the calls; null: all
-- call_id | identity of the call
-- provider, model, service_tier, region, is_batch | what its price is asked for
-- called_at | when the call was made (UTC); null: the log does not say
-- price_status | of the call
-- token_class | class, disjoint from the others of the call; or compute_second
-- quantity | tokens, requests, searches, sessions; microseconds of compute time
-- rate_pico | pico-USD for one of them, a second of compute time; null: none
-- cost_pico | cost in pico-USD; null: unknown
-- row_rate_pico | rate of the row of the book: the same, or the row explains nothing
-- source, source_url, note, context_above, week_second_from, week_second_to, valid_from, valid_to | of that row
with asked as (
    select
        *,
        1 as call_count,
        coalesce(model, model_requested) as priced_model,
        -- as in `calls`: without an instant the newest price, and only one of all week
        coalesce(epoch_us(called_at), 9223372036854775806) as lookup_us,
        coalesce(utc_week_second(called_at), -1) as lookup_second,
        greatest(input_tokens, 1) as lookup_tokens,
    from calls
    where price_status <> 'not_billed' and ($call_ids is null or list_contains($call_ids::varchar[], call_id))
),

used as (
    select
        asked.* exclude (model),
        asked.priced_model as model,
        unnest(class_costs(asked, rate_cards), recursive := true),
    from asked
    left join source.rate_cards as rate_cards
        on asked.card_id = rate_cards.card_id
    where asked.price_status not in ('billed_by_time', 'time_unknown')
    union all by name
    select
        asked.* exclude (model),
        asked.priced_model as model,
        'compute_second' as token_class,
        compute_microseconds::hugeint as quantity,
        time_cost_pico as cost,
    from asked
),

book as (
    -- A catalogue that is priced as of an instant believes what was believed then.
    select
        price_book.*,
        coalesce(epoch_us(valid_from), -9223372036854775807) as from_us,
        coalesce(epoch_us(valid_to), 9223372036854775807) as to_us,
        case when week_second_from = 0 and week_second_to = 604800 then -1 else week_second_from end as from_second,
    from source.price_book as price_book
    cross join about
    where
        (about.prices_as_of is null and superseded_at is null)
        or (recorded_at <= about.prices_as_of and (superseded_at is null or superseded_at > about.prices_as_of))
)

select
    used.call_id,
    used.provider,
    used.model,
    used.service_tier,
    used.region,
    used.is_batch,
    used.called_at,
    used.lookup_second,
    used.lookup_tokens,
    used.price_status,
    used.token_class,
    used.quantity,
    coalesce(used.rate, case when used.token_class = 'compute_second' then book.rate_pico end) as rate_pico,
    used.cost as cost_pico,
    book.rate_pico as row_rate_pico,
    book.source,
    book.source_url,
    book.note,
    book.context_above,
    book.week_second_from,
    book.week_second_to,
    book.valid_from,
    book.valid_to,
from used
left join book
    on used.provider is not distinct from book.provider
    and used.model is not distinct from book.model
    and used.service_tier is not distinct from book.service_tier
    and used.region is not distinct from book.region
    and used.is_batch is not distinct from book.is_batch
    and used.token_class = book.token_class
    and used.lookup_us >= book.from_us
    and used.lookup_us < book.to_us
    and used.lookup_second >= book.from_second
    and used.lookup_second < book.week_second_to
    and used.lookup_tokens > book.context_above
where used.quantity <> 0
-- of a class's rows the highest context's holds
qualify row_number() over (partition by used.call_id, used.token_class order by book.context_above desc nulls last) = 1
