-- one row per UTC day, meter, price, model, feature, user, customer and environment: a FOCUS 1.2 dataset of what calls cost
with spent as (
    select
        day,
        provider,
        model,
        region,
        card_id,
        price_status,
        focus_tags(usage_cube) as tags,
        sum(call_count) as call_count,
        sum(uncached_input_tokens) as uncached_input_tokens,
        sum(uncached_audio_tokens) as uncached_audio_tokens,
        sum(uncached_image_tokens) as uncached_image_tokens,
        sum(uncached_video_tokens) as uncached_video_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(cache_write_other_tokens) as cache_write_other_tokens,
        sum(output_tokens) as output_tokens,
        sum(output_audio_tokens) as output_audio_tokens,
        sum(output_image_tokens) as output_image_tokens,
        sum(reasoning_tokens) as reasoning_tokens,
        sum(web_search_count) as web_search_count,
        sum(file_search_count) as file_search_count,
        sum(code_session_count) as code_session_count,
    from usage_cube
    where day is not null and cost_pico is not null and price_status not in ('not_billed', 'billed_by_time')
    group by all
),

-- The parts of the whole, disjoint, each with its own price.
classes as (
    select
        spent.day,
        spent.provider,
        spent.model,
        spent.region,
        spent.card_id,
        spent.price_status,
        spent.tags,
        spent.call_count,
        unnest(class_costs(spent, rates), recursive := true),
    from spent
    inner join focus_rates as rates
        on spent.card_id = rates.card_id and not rates.is_list
),

metered as (
    select
        'calls' as cost_kind,
        classes.* exclude (quantity, rate, cost, token_class, card_id),
        classes.token_class as meter,
        classes.cost as cost_pico,
        classes.quantity * coalesce(meters.list_pico, meters.rate_pico) as list_cost_pico,
        meters.list_pico is not null as is_list_price_known,
        usd_from_pico(meters.rate_pico::hugeint * meters.unit_size)::decimal(38, 18) as unit_price,
        usd_from_pico(coalesce(meters.list_pico, meters.rate_pico)::hugeint * meters.unit_size)::decimal(38, 18)
            as list_unit_price,
        classes.quantity::decimal(38, 6) as consumed,
        case when meters.unit_size = 1 then classes.quantity::decimal(38, 6) else millionths(classes.quantity) end as priced,
        meters.* exclude (card_id, token_class, rate_pico, list_pico, unit_size),
    from classes
    inner join focus_meters as meters
        on classes.card_id = meters.card_id
        and classes.token_class = meters.token_class
    where classes.quantity <> 0
),

compute as (
    select
        day,
        provider,
        model,
        coalesce(priced_model, 'unknown') as told_model,
        region,
        focus_tags(usage_cube) as tags,
        sum(call_count) as call_count,
        sum(compute_microseconds) as microseconds,
        sum(time_cost_pico) as cost,
    from usage_cube
    where day is not null and time_cost_pico is not null and compute_microseconds <> 0
    group by all
),

timed as (
    select
        'compute' as cost_kind,
        compute.* exclude (told_model, microseconds, cost),
        'compute_second' as meter,
        cost as cost_pico,
        cost as list_cost_pico,
        false as is_list_price_known,
        -- A cell of calls that are billed by time does not tell their card: the price is what they come to.
        usd_from_atto(divide_half_even(cost * 1000000000000, microseconds)) as unit_price,
        unit_price as list_unit_price,
        millionths(microseconds) as consumed,
        consumed as priced,
        concat_ws('/', coalesce(provider, 'unknown'), told_model, meter) as "SkuId",
        "SkuId" || '#' || md5(unit_price::varchar)[:12] as "SkuPriceId",
        told_model || ', compute time' as "ChargeDescription",
        'Seconds' as "ConsumedUnit",
        'Seconds' as "PricingUnit",
    from compute
),

agreed as (
    select
        kind as cost_kind,
        day,
        day + 1 as end_day,
        provider,
        model,
        focus_tags(terms) as tags,
        sum(call_count) as call_count,
        sum(allocated_pico) as cost_pico,
    from (select *, null::varchar as environment from allocated_costs) as terms
    where scenario_order = 0
    group by all
    union all by name
    select
        kind as cost_kind,
        period_start as day,
        period_end as end_day,
        provider,
        unallocated_pico as cost_pico,
    from contract_terms
    where scenario_order = 0 and unallocated_pico <> 0
),

charges as (
    from metered
    union all by name
    from timed
    union all by name
    select
        *,
        cost_pico as list_cost_pico,
        'part of the contract''s ' || replace(cost_kind, '_', ' ') as "ChargeDescription",
    from agreed
    where cost_pico <> 0 and day is not null
)

select
    coalesce(getvariable('billing_account'), 'unknown')::varchar as "BillingAccountId",
    null::varchar as "BillingAccountName",
    null::varchar as "InvoiceId",
    'USD' as "BillingCurrency",
    utc_midnight(date_trunc('month', day)) as "BillingPeriodStart",
    utc_midnight(date_trunc('month', day) + interval 1 month) as "BillingPeriodEnd",
    utc_midnight(day) as "ChargePeriodStart",
    utc_midnight(coalesce(end_day, day + 1)) as "ChargePeriodEnd",
    case when meter is null then 'Adjustment' else 'Usage' end as "ChargeCategory",
    null::varchar as "ChargeClass",
    "ChargeDescription",
    case
        when meter is not null then 'Usage-Based'
        when cost_kind = 'time' then 'One-Time'
        else 'Recurring'
    end as "ChargeFrequency",
    usd_from_pico(cost_pico) as "BilledCost",
    usd_from_pico(cost_pico) as "EffectiveCost",
    usd_from_pico(cost_pico) as "ContractedCost",
    usd_from_pico(list_cost_pico) as "ListCost",
    unit_price as "ContractedUnitPrice",
    list_unit_price as "ListUnitPrice",
    null::varchar as "CommitmentDiscountStatus",
    case when meter is not null then 'Standard' end as "PricingCategory",
    priced as "PricingQuantity",
    "PricingUnit",
    consumed as "ConsumedQuantity",
    "ConsumedUnit",
    "SkuId",
    "SkuPriceId",
    "SkuPriceDetails",
    meter as "SkuMeter",
    coalesce(focus_name(provider), 'unknown') as "ProviderName",
    coalesce(focus_name(provider), 'unknown') as "PublisherName",
    coalesce(focus_name(provider), 'unknown') as "InvoiceIssuerName",
    'AI and Machine Learning' as "ServiceCategory",
    'Generative AI' as "ServiceSubcategory",
    coalesce(focus_service(provider), 'unknown') as "ServiceName",
    region as "RegionId",
    region as "RegionName",
    tags as "Tags",
    cost_kind as "x_CostKind",
    provider as "x_Provider",
    model as "x_Model",
    price_status as "x_PriceStatus",
    is_list_price_known as "x_IsListPriceKnown",
    call_count::bigint as "x_CallCount",
from charges
