-- one row per instant within a period, provider, model, service tier, region, batch, token class, context and part of the week: a rate that took the place of another one
-- price_changes(period := 'log')
-- The rate before is the one in force up to that instant for the same hours and the same context, whatever its own
-- windows and bounds are. The first rate of all changes nothing; one that ends without another changes to none.
-- changed_at | first instant of the rate (UTC); its date lies in the period, see log_days
-- provider | who serves the model
-- model | model as served
-- service_tier | service tier; null: none told
-- region | region; null: none told
-- is_batch | batch API; null: not told
-- token_class | class of tokens that the rate is for
-- context_above | the change holds for calls with more input tokens than this
-- context_up_to | and with at most so many; null: no bound
-- week_second_from | start of the hours that it holds for, in seconds of the UTC week from Monday 00:00 (inclusive)
-- week_second_to | end of them (exclusive); 604800: end of the week
-- usd_per_million_before | USD for a million until then; null: known to have no rate
-- usd_per_million | USD for a million from then on; null: no rate
-- source | who says so; null: no rate follows
with believed as (
    select
        {
            'provider': provider,
            'model': model,
            'service_tier': service_tier,
            'region': region,
            'is_batch': is_batch,
            'token_class': token_class
        } as priced,
        context_above,
        week_second_from,
        week_second_to,
        valid_from,
        valid_to,
        {'usd': usd_per_million, 'source': source} as rate,
    from price_book
    where superseded_at is null
),

instants as (
    select distinct
        believed.priced,
        bounds.changed_at,
    from believed
    cross join unnest([believed.valid_from, believed.valid_to]) as bounds (changed_at)
    cross join log_days(period) as days
    where bounds.changed_at::date between days.first_day and days.last_day
),

around as (
    select
        instants.priced,
        instants.changed_at,
        believed.context_above,
        believed.week_second_from,
        believed.week_second_to,
        believed.rate,
        believed.valid_from is null or believed.valid_from < instants.changed_at as is_before,
        believed.valid_to is null or believed.valid_to > instants.changed_at as is_after,
    from instants
    inner join believed
        on instants.priced = believed.priced
        and (believed.valid_from is null or believed.valid_from <= instants.changed_at)
        and (believed.valid_to is null or believed.valid_to >= instants.changed_at)
),

windows as (
    select
        priced,
        changed_at,
        bound as week_second_from,
        lead(bound) over (partition by priced, changed_at order by bound) as week_second_to,
    from around
    cross join unnest([week_second_from, week_second_to]) as bounds (bound)
    group by priced, changed_at, bound
),

contexts as (
    select
        priced,
        changed_at,
        context_above,
        lead(context_above) over (partition by priced, changed_at order by context_above) as context_up_to,
    from around
    group by priced, changed_at, context_above
),

-- Of the rates that hold for the same hours, the one with the greatest bound that the context exceeds.
sides as (
    select
        windows.priced,
        windows.changed_at,
        contexts.context_above,
        contexts.context_up_to,
        windows.week_second_from,
        windows.week_second_to,
        arg_max(around.rate, around.context_above) filter (where around.is_before) as before,
        arg_max(around.rate, around.context_above) filter (where around.is_after) as after,
    from windows
    inner join contexts
        on windows.priced = contexts.priced and windows.changed_at = contexts.changed_at
    inner join around
        on windows.priced = around.priced
        and windows.changed_at = around.changed_at
        and around.week_second_from <= windows.week_second_from
        and around.week_second_to > windows.week_second_from
        and around.context_above <= contexts.context_above
    group by all
)

select
    changed_at,
    priced.provider,
    priced.model,
    priced.service_tier,
    priced.region,
    priced.is_batch,
    priced.token_class,
    context_above,
    context_up_to,
    week_second_from,
    week_second_to,
    before.usd as usd_per_million_before,
    after.usd as usd_per_million,
    after.source,
from sides
where before is not null and before.usd is distinct from after.usd
