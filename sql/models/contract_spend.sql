-- one row per scenario, contract term, period and group of calls that are alike in all of day to customer_id
-- scenario | actual, or the change of prices by its name; a bill for time is in actual alone, since no scenario moves it
-- scenario_order | order of the scenarios; 0: actual
-- term_id | term of the price file, see contract_terms
-- kind | volume_tier, commitment or time
-- period_start | first UTC day of the month, or of the time that is billed; null: the calls without a day, which are in no period
-- period_end | first UTC day after it
-- group_number | place of the group in the order of day to customer_id, the same in every term; null: no call is in the period
-- day | UTC date; null: the log does not say
-- provider | who served the calls
-- model | model as served; null: not told
-- priced_model | model that the price was looked up for: as served, else as asked for
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- call_count | calls
-- unpriced_call_count | of these, without any cost in the scenario
-- unweighted_call_count | of these, without what the term is allocated by
-- token_count | input and output of the billed calls that tell it; null: none does
-- spend_atto | cost of the tokens in the scenario and of compute time, in atto-USD; null: none is priced
-- weight | what the term's amount is allocated by: spend_atto, busy microseconds, or tokens as weighted by the term; null: not told
with months as (
    select unnest(generate_series(
        date_trunc('month', min(day)), date_trunc('month', max(day)), interval 1 month
    ))::date as month_start,
    from usage_cube
),

terms as (
    select
        term_id,
        kind,
        min(provider) as provider,
        min(model) as model,
        min(allocate_by) as allocate_by,
        min(output_weight) as output_weight,
    from source.contract_terms
    group by term_id, kind
),

periods as (
    select distinct
        agreed.term_id,
        months.month_start as period_start,
        (months.month_start + interval 1 month)::date as period_end,
    from source.contract_terms as agreed
    inner join months
        on months.month_start >= coalesce(agreed.valid_from, months.month_start)
        and (agreed.valid_to is null or months.month_start < agreed.valid_to)
    where agreed.kind <> 'time'
    union all
    select
        term_id,
        valid_from,
        valid_to,
    from source.contract_terms
    where kind = 'time'
    union all
    select
        term_id,
        null,
        null,
    from terms
),

-- What calls are of, here or where a scenario moves them, by the names in the log and by those that aliases give them.
served as (
    select distinct
        cells.term_provider as provider,
        cells.term_model as priced_model,
        names.as_provider,
        names.as_model,
    from scenario_cells as cells
    left join source.price_names as names
        on cells.term_provider is not distinct from names.provider
        and cells.term_model is not distinct from names.model
    where exists (from source.contract_terms)
),

matches as (
    select
        terms.term_id,
        terms.kind,
        periods.period_start,
        periods.period_end,
        served.provider,
        served.priced_model,
    from terms
    inner join periods
        on terms.term_id = periods.term_id
    inner join served
        on is_about(terms, served.provider, served.priced_model)
        or is_about(terms, served.as_provider, served.as_model)
    -- What is bought is in one volume schedule: the most specific one that holds in the month, as with prices.
    qualify
        terms.kind <> 'volume_tier'
        or row_number() over (
            partition by terms.kind, served.provider, served.priced_model, periods.period_start
            order by contains(terms.model, '*'), length(terms.model) desc, terms.provider is null, terms.term_id
        ) = 1
),

matched_models as (
    select
        provider,
        priced_model,
        bool_or(kind <> 'time') as is_in_scenarios,
    from matches
    group by provider, priced_model
),

cells as (
    select
        scenario_cells.*,
        matched_models.is_in_scenarios,
        scenario_cells.price_status <> 'not_billed' as is_billed,
    from scenario_cells
    inner join matched_models
        on scenario_cells.term_provider is not distinct from matched_models.provider
        and scenario_cells.term_model is not distinct from matched_models.priced_model
    where scenario_cells.bound in ('exact', 'point') and not scenario_cells.is_lost
),

-- Where calls go stands beside whose they are: a contract speaks of the one, the other bears its part.
groups as (
    select
        day,
        provider,
        model,
        priced_model,
        feature,
        user_id,
        customer_id,
        term_provider,
        term_model,
        row_number() over (
            order by
                day nulls first, provider nulls first, model nulls first, priced_model nulls first,
                feature nulls first, user_id nulls first, customer_id nulls first,
                term_provider nulls first, term_model nulls first
        ) as group_number,
    from cells
    group by day, provider, model, priced_model, feature, user_id, customer_id, term_provider, term_model
),

grouped_cells as (
    select
        groups.group_number,
        cells.*,
    from cells
    inner join groups
        on cells.day is not distinct from groups.day
        and cells.provider is not distinct from groups.provider
        and cells.model is not distinct from groups.model
        and cells.priced_model is not distinct from groups.priced_model
        and cells.feature is not distinct from groups.feature
        and cells.user_id is not distinct from groups.user_id
        and cells.customer_id is not distinct from groups.customer_id
        and cells.term_provider is not distinct from groups.term_provider
        and cells.term_model is not distinct from groups.term_model
),

-- Once for all scenarios that leave calls where they are, and once for each other one; calls and time as logged.
usage as (
    select
        group_number,
        scope,
        sum(call_count)::bigint as call_count,
        sum(untimed_call_count) filter (where is_billed)::bigint as untimed_call_count,
        sum(unknown_usage_call_count) filter (where is_billed)::bigint as unknown_usage_call_count,
        sum(scaled_to_nearest(
            scaled_to_nearest(input_tokens, input_ratio_nano, 1000000000), activity_nano, 1000000000
        )) filter (where is_billed) as input_tokens,
        sum(scaled_to_nearest(
            scaled_to_nearest(output_tokens, output_ratio_nano, 1000000000), activity_nano, 1000000000
        )) filter (where is_billed) as output_tokens,
        sum(busy_microseconds) filter (where is_billed) as busy_microseconds,
    from grouped_cells
    group by group_number, scope
),

cell_costs as (
    select
        cells.group_number,
        cells.scope,
        rates.scenario_order,
        cells.call_count,
        scenario_cost_of(cells, rates) as token_cost_atto,
        -- Time costs what it costs, while the calls stay; as much as there are of them.
        case
            when not cells.is_moved then divide_half_even(cells.time_cost_pico * cells.activity_nano, 1000)
        end as time_cost_atto,
    from grouped_cells as cells
    inner join scenario_rates as rates
        on cells.card_id is not distinct from rates.card_id
        and cells.scope is not distinct from rates.scope
        and case when cells.card_id is not null then cells.variant end is not distinct from rates.variant
        and (cells.is_in_scenarios or rates.scenario_order = 0)
),

spends as (
    select
        group_number,
        scope,
        scenario_order,
        sum(call_count) filter (where token_cost_atto is null and time_cost_atto is null)::bigint as unpriced_call_count,
        -- One of the two may be unknown: what is known is spent.
        sum(coalesce(token_cost_atto, 0) + coalesce(time_cost_atto, 0))
            filter (where token_cost_atto is not null or time_cost_atto is not null) as spend_atto,
    from cell_costs
    group by group_number, scope, scenario_order
),

matched_groups as (
    select
        matches.term_id,
        matches.period_start,
        spends.scenario_order,
        spends.unpriced_call_count,
        spends.spend_atto,
        groups.*,
        usage.* exclude (group_number),
    from matches
    inner join groups
        on matches.provider is not distinct from groups.term_provider
        and matches.priced_model is not distinct from groups.term_model
        and coalesce(
            groups.day >= matches.period_start and groups.day < matches.period_end,
            groups.day is null and matches.period_start is null
        )
    inner join spends
        on groups.group_number = spends.group_number
        and (matches.kind <> 'time' or spends.scenario_order = 0)
    inner join usage
        on spends.group_number = usage.group_number
        and spends.scope is not distinct from usage.scope
)

select
    scenarios.scenario,
    scenarios.scenario_order,
    terms.term_id,
    terms.kind,
    periods.period_start,
    periods.period_end,
    matched_groups.group_number,
    matched_groups.day,
    matched_groups.provider,
    matched_groups.model,
    matched_groups.priced_model,
    matched_groups.feature,
    matched_groups.user_id,
    matched_groups.customer_id,
    -- No row of a kind is a known zero: these count rows that were seen, or a period without any.
    coalesce(matched_groups.call_count, 0) as call_count,
    coalesce(matched_groups.unpriced_call_count, 0) as unpriced_call_count,
    coalesce(case
        when terms.kind <> 'time' then matched_groups.unpriced_call_count
        when terms.allocate_by = 'busy' then matched_groups.untimed_call_count
        else matched_groups.unknown_usage_call_count
    end, 0) as unweighted_call_count,
    -- A sum of what is told: a call that tells one of the two counts with it.
    case
        when coalesce(matched_groups.input_tokens, matched_groups.output_tokens) is not null
            then coalesce(matched_groups.input_tokens, 0) + coalesce(matched_groups.output_tokens, 0)
    end::hugeint as token_count,
    matched_groups.spend_atto,
    case
        when terms.kind <> 'time' then matched_groups.spend_atto
        when terms.allocate_by = 'busy' then matched_groups.busy_microseconds
        when coalesce(matched_groups.input_tokens, matched_groups.output_tokens) is not null
            then coalesce(matched_groups.input_tokens, 0)
                + coalesce(matched_groups.output_tokens, 0) * terms.output_weight
    end::hugeint as weight,
from periods
inner join terms
    on periods.term_id = terms.term_id
inner join source.scenarios as scenarios
    on terms.kind <> 'time'
    or scenarios.scenario_order = 0
left join matched_groups
    on periods.term_id = matched_groups.term_id
    and periods.period_start is not distinct from matched_groups.period_start
    and scenarios.scenario_order = matched_groups.scenario_order
where
    (periods.period_start is not null or matched_groups.group_number is not null)
    and not exists (
        select 1
        from source.left_terms as left_terms
        where left_terms.scenario_order = scenarios.scenario_order and left_terms.term_id = terms.term_id
    )
