-- one row per rate card and class that it has a rate of: what FOCUS calls it, and what a unit costs
-- card_id | rate card
-- token_class | class of tokens or fees
-- rate_pico | pico-USD of one unit, as the calls are priced
-- list_pico | pico-USD of one unit by the list; null: no list has it
-- unit_size | units that a price is of
-- SkuId and so on | as in FOCUS
with rates as (
    unpivot (select is_list, card_id, columns('.*_rate') from focus_rates)
    on columns('.*_rate')
    into name rate_name value rate_pico
),

paired as (
    select
        card_id,
        rate_name[:-6] as token_class,
        any_value(rate_pico) filter (where not is_list) as rate_pico,
        any_value(rate_pico) filter (where is_list) as list_pico,
    from rates
    group by all
    having rate_pico is not null and token_class <> 'compute_second'
),

named as (
    select
        paired.*,
        coalesce(cards.provider, 'unknown') as provider,
        coalesce(cards.model, 'unknown') as model,
        concat_ws('/', coalesce(cards.provider, 'unknown'), coalesce(cards.model, 'unknown'), paired.token_class) as sku_id,
        -- FOCUS asks for keys with x_ where it defines none.
        concat_ws(
            ',',
            '"x_ServiceTier":' || to_json(cards.service_tier)::varchar,
            '"x_Region":' || to_json(cards.region)::varchar,
            '"x_IsBatch":' || cards.is_batch::varchar,
            case when cards.context_above > 0 or cards.context_up_to is not null
                then '"x_ContextAbove":' || cards.context_above::varchar end,
            case when cards.week_second_from > 0 or cards.week_second_to < 604800
                then '"x_WeekSecondFrom":' || cards.week_second_from::varchar
                || ',"x_WeekSecondTo":' || cards.week_second_to::varchar end,
            '"x_ValidFrom":"' || strftime(cards.valid_from at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') || '"'
        ) as details,
    from paired
    inner join source.rate_cards as cards
        on paired.card_id = cards.card_id
)

select
    card_id,
    token_class,
    rate_pico,
    list_pico,
    sku_id as "SkuId",
    -- A price that changed is another one, whenever the change was learned.
    sku_id || '#' || md5(details || ',' || rate_pico::varchar)[:12] as "SkuPriceId",
    '{' || details || '}' as "SkuPriceDetails",
    model || ', ' || replace(token_class, '_', ' ') as "ChargeDescription",
    case token_class
        when 'request' then 'Requests'
        when 'web_search' then 'Searches'
        when 'file_search' then 'Searches'
        when 'code_session' then 'Sessions'
        else 'Tokens'
    end as "ConsumedUnit",
    -- Price lists speak of a million tokens.
    case when "ConsumedUnit" = 'Tokens' then '1000000 Tokens' else "ConsumedUnit" end as "PricingUnit",
    case when "ConsumedUnit" = 'Tokens' then 1000000 else 1 end as unit_size,
from named
