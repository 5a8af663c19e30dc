-- one row per swap found in the history: a feature whose main model became another one (a new price alone is no swap)
-- model_swaps(least_action_count := 20)
-- A main model has two thirds of the actions, over least_action_count actions or more; at a swap its share and its
-- successor's move by five standard errors, which takes 25 actions in the two runs together at the least.
-- feature | product feature, or unattributed
-- swapped_on | first day on which the second model is the main one (UTC)
-- from_provider | who served the first model
-- from_model | the model as served, else as asked for
-- to_provider | who serves the second
-- to_model | the model as served, else as asked for
-- from_first_day | first day on which the first model was the main one, from its own swap on
-- from_last_day | the last one
-- to_first_day | swapped_on
-- to_last_day | last day on which the second model was the main one before the next swap
-- from_action_count | actions on the first model alone on the days of its runs (not on those that it shared); every figure below is of these
-- to_action_count | the same of the second
-- from_main_share | these over all actions of those days that ran on one model each; at least two thirds
-- to_main_share | the same of the second
-- unknown_usage_action_count | actions of either with a billed call of unknown usage: not in tokens per action
-- unpriced_action_count | actions of either with a call without a cost: not in any cost of the row
-- from_tokens_per_action | mean input plus output of an action on the first model; null: unknown
-- to_tokens_per_action | the same on the second
-- tokens_ratio | to_tokens_per_action over from_tokens_per_action
-- tokens_ratio_low | lower bound of its 95 % interval; null: too few actions, or all alike
-- tokens_ratio_high | its upper bound
-- input_ratio | the same ratio of input, cached included
-- input_ratio_low | lower bound of its 95 % interval
-- input_ratio_high | its upper bound
-- output_ratio | the same ratio of output
-- output_ratio_low | lower bound of its 95 % interval
-- output_ratio_high | its upper bound
-- from_price_per_million_usd | cost of the actions that are known and priced over a million of their tokens, first model
-- to_price_per_million_usd | the same on the second
-- from_cost_per_action_usd | mean cost of a priced action on the first model
-- to_cost_per_action_usd | the same on the second
-- cost_ratio | cost per action, second over first
-- cost_ratio_low | lower bound of its 95 % interval
-- cost_ratio_high | its upper bound
-- from_labelled_count | actions on the first model with an outcome, success or not
-- to_labelled_count | the same on the second
-- from_success_share | successes over these, first model
-- to_success_share | the same on the second
-- success_change_share | to_success_share less from_success_share
-- success_change_low_share | lower bound of its 95 % interval
-- success_change_high_share | its upper bound
-- from_cost_per_outcome_usd | cost of the priced labelled actions over their successes, first model; null: no success
-- to_cost_per_outcome_usd | the same on the second
with recursive named_calls as (
    select
        coalesce(feature, 'unattributed') as feature,
        action_id,
        day,
        -- Null is no model's provider, and as good as any to be compared with.
        coalesce(provider, '') as provider,
        coalesce(model, model_requested) as model,
        input_tokens,
        output_tokens,
        input_tokens is not null and output_tokens is not null or status in ('cache_hit', 'refused') as is_known,
        cost_pico,
    from calls
),

served_actions as materialized (
    -- Actions of one model each: what several models did together says nothing of one.
    select
        feature,
        action_id,
        min(provider) as provider,
        min(model) as model,
        min(day) as day,
        bool_and(is_known) and count(input_tokens) > 0 and count(output_tokens) > 0 as is_all_known,
        case when is_all_known then sum(input_tokens) end as input_tokens,
        case when is_all_known then sum(output_tokens) end as output_tokens,
        case when count(cost_pico) = count(*) then sum(cost_pico) end as cost_pico,
    from named_calls
    group by feature, action_id
    having
        min(provider) = max(provider)
        and min(model) = max(model)
        and count(model) = count(*)
        and count(day) > 0
),

day_counts as (
    select
        feature,
        day,
        provider,
        model,
        count(*) as action_count,
    from served_actions
    group by feature, day, provider, model
),

main_days as (
    -- The model of two thirds of a day's actions; null where models share the day.
    select
        feature,
        day,
        max(action_count) * 3 >= sum(action_count) * 2 as has_main,
        case when has_main then arg_max(provider, action_count) end as provider,
        case when has_main then arg_max(model, action_count) end as model,
        case when has_main then max(action_count) else sum(action_count) end as action_count,
    from day_counts
    group by feature, day
),

-- Runs of days with one main model, or with none. The shortest give way first (below 1, 2, 4, ... actions), and what
-- they stood between grows together: many short interludes do not hide the model that was used all along.
model_runs as (
    select
        feature,
        provider,
        model,
        day as first_day,
        day as last_day,
        action_count::hugeint as action_count,
        0::bigint as least_count,
    from main_days
    union all
    select
        feature,
        provider,
        model,
        min(first_day) as first_day,
        max(last_day) as last_day,
        sum(action_count) as action_count,
        max(next_count) as least_count,
    from (
        select
            *,
            sum(is_other) over (partition by feature order by first_day) as run_number,
        from (
            select
                *,
                least(greatest(least_count * 2, 1), least_action_count) as next_count,
                case
                    when lag(least_count) over (partition by feature order by first_day) is not null
                        and model is not distinct from lag(model) over (partition by feature order by first_day)
                        and provider is not distinct from lag(provider) over (partition by feature order by first_day)
                        then 0
                    else 1
                end as is_other,
            from model_runs
            where
                least_count < least_action_count
                and action_count >= least(greatest(least_count * 2, 1), least_action_count)
        ) as longer_runs
    ) as numbered_runs
    group by feature, provider, model, run_number
),

main_runs as (
    -- With what gave way within its days, a run's model has two thirds of all actions, too.
    select
        model_runs.feature,
        model_runs.provider,
        model_runs.model,
        model_runs.first_day,
        model_runs.last_day,
        sum(day_counts.action_count) as all_action_count,
        row_number() over feature_runs as run_number,
        lag(model_runs.provider) over feature_runs as from_provider,
        lag(model_runs.model) over feature_runs as from_model,
    from model_runs
    inner join day_counts
        on model_runs.feature = day_counts.feature
        and day_counts.day between model_runs.first_day and model_runs.last_day
    where model_runs.least_count = least_action_count
    group by model_runs.feature, model_runs.provider, model_runs.model, model_runs.first_day, model_runs.last_day
    having
        -- Of no model where there is no main one: null, and none of these.
        sum(day_counts.action_count) filter (
            where day_counts.provider = model_runs.provider and day_counts.model = model_runs.model
        ) * 3 >= sum(day_counts.action_count) * 2
    window feature_runs as (partition by model_runs.feature order by model_runs.first_day)
),

reigns as (
    -- The runs of one model from its swap to the next: its days are those of its runs, not those without a main model.
    select
        *,
        count(*) filter (
            where from_provider is null or provider <> from_provider or model <> from_model
        ) over (partition by feature order by first_day) as reign_number,
    from main_runs
),

reign_totals as (
    select
        feature,
        reign_number,
        min(first_day) as first_day,
        max(last_day) as last_day,
        min(run_number) as first_run_number,
        sum(all_action_count) as all_action_count,
    from reigns
    group by feature, reign_number
),

run_counts as (
    select
        main_runs.feature,
        main_runs.run_number,
        day_counts.provider,
        day_counts.model,
        sum(day_counts.action_count) as action_count,
    from main_runs
    inner join day_counts
        on main_runs.feature = day_counts.feature
        and day_counts.day between main_runs.first_day and main_runs.last_day
    group by main_runs.feature, main_runs.run_number, day_counts.provider, day_counts.model
),

turns as (
    -- From each run to the next: of all actions of either, those on the model before and on the model after.
    select
        main_runs.feature,
        main_runs.run_number,
        run_counts.run_number = main_runs.run_number as is_after,
        sum(run_counts.action_count) as action_count,
        coalesce(sum(run_counts.action_count) filter (
            where run_counts.provider = main_runs.from_provider and run_counts.model = main_runs.from_model
        ), 0) as from_count,
        coalesce(sum(run_counts.action_count) filter (
            where run_counts.provider = main_runs.provider and run_counts.model = main_runs.model
        ), 0) as to_count,
    from main_runs
    inner join run_counts
        on main_runs.feature = run_counts.feature
        and run_counts.run_number in (main_runs.run_number - 1, main_runs.run_number)
    group by main_runs.feature, main_runs.run_number, is_after
),

clear_turns as (
    -- Models that take turns by chance have runs, too. Both shares must have moved by five standard errors: so many,
    -- since of all days those were taken that differ most.
    select
        before.feature,
        before.run_number,
    from turns as before
    inner join turns as after
        on before.feature = after.feature
        and before.run_number = after.run_number
    where
        not before.is_after
        and after.is_after
        and chi_square(before.from_count, before.action_count, after.from_count, after.action_count) >= 25
        and chi_square(before.to_count, before.action_count, after.to_count, after.action_count) >= 25
),

samples as (
    select
        reigns.feature,
        reigns.reign_number,
        reigns.provider,
        reigns.model,
        count(*) as action_count,
        count(*) filter (where served_actions.input_tokens is null) as unknown_usage_action_count,
        count(*) filter (where served_actions.cost_pico is null) as unpriced_action_count,
        mean_of_sample(served_actions.input_tokens) as input,
        mean_of_sample(served_actions.output_tokens) as output,
        mean_of_sample(served_actions.input_tokens + served_actions.output_tokens) as total,
        mean_of_sample(served_actions.cost_pico) as cost,
        sum(served_actions.cost_pico) as cost_pico,
        sum(served_actions.cost_pico) filter (where served_actions.input_tokens is not null) as known_cost_pico,
        sum(served_actions.input_tokens + served_actions.output_tokens) filter (
            where served_actions.cost_pico is not null
        ) as priced_tokens,
        count(outcomes.is_success) as labelled_count,
        count(*) filter (where outcomes.is_success) as success_count,
        sum(served_actions.cost_pico) filter (where outcomes.is_success is not null) as labelled_cost_pico,
        count(*) filter (where outcomes.is_success and served_actions.cost_pico is not null) as priced_success_count,
    from reigns
    inner join served_actions
        on reigns.feature = served_actions.feature
        and reigns.provider = served_actions.provider
        and reigns.model = served_actions.model
        and served_actions.day between reigns.first_day and reigns.last_day
    left join outcomes
        on served_actions.action_id = outcomes.action_id
        and outcomes.is_latest
    group by reigns.feature, reigns.reign_number, reigns.provider, reigns.model
),

sides as (
    select
        reign_totals.*,
        samples.* exclude (feature, reign_number),
    from samples
    inner join reign_totals
        on samples.feature = reign_totals.feature
        and samples.reign_number = reign_totals.reign_number
),

pairs as (
    select
        from_side,
        to_side,
        ratio_of_means(to_side.total, from_side.total) as tokens_ratio,
        ratio_of_means(to_side.input, from_side.input) as input_ratio,
        ratio_of_means(to_side.output, from_side.output) as output_ratio,
        ratio_of_means(to_side.cost, from_side.cost) as cost_ratio,
        share_change(
            from_side.success_count, from_side.labelled_count, to_side.success_count, to_side.labelled_count
        ) as success,
    from sides as from_side
    inner join sides as to_side
        on from_side.feature = to_side.feature
        and from_side.reign_number + 1 = to_side.reign_number
    inner join clear_turns
        on to_side.feature = clear_turns.feature
        and to_side.first_run_number = clear_turns.run_number
)

select
    from_side.feature,
    to_side.first_day as swapped_on,
    nullif(from_side.provider, '') as from_provider,
    from_side.model as from_model,
    nullif(to_side.provider, '') as to_provider,
    to_side.model as to_model,
    from_side.first_day as from_first_day,
    from_side.last_day as from_last_day,
    to_side.first_day as to_first_day,
    to_side.last_day as to_last_day,
    from_side.action_count as from_action_count,
    to_side.action_count as to_action_count,
    from_side.action_count / from_side.all_action_count as from_main_share,
    to_side.action_count / to_side.all_action_count as to_main_share,
    from_side.unknown_usage_action_count + to_side.unknown_usage_action_count as unknown_usage_action_count,
    from_side.unpriced_action_count + to_side.unpriced_action_count as unpriced_action_count,
    from_side.total.mean as from_tokens_per_action,
    to_side.total.mean as to_tokens_per_action,
    tokens_ratio.ratio as tokens_ratio,
    tokens_ratio.bounds.low as tokens_ratio_low,
    tokens_ratio.bounds.high as tokens_ratio_high,
    input_ratio.ratio as input_ratio,
    input_ratio.bounds.low as input_ratio_low,
    input_ratio.bounds.high as input_ratio_high,
    output_ratio.ratio as output_ratio,
    output_ratio.bounds.low as output_ratio_low,
    output_ratio.bounds.high as output_ratio_high,
    usd_from_pico(
        divide_half_even(from_side.known_cost_pico * 1000000, from_side.priced_tokens)
    ) as from_price_per_million_usd,
    usd_from_pico(
        divide_half_even(to_side.known_cost_pico * 1000000, to_side.priced_tokens)
    ) as to_price_per_million_usd,
    usd_from_pico(divide_half_even(from_side.cost_pico, from_side.cost.count)) as from_cost_per_action_usd,
    usd_from_pico(divide_half_even(to_side.cost_pico, to_side.cost.count)) as to_cost_per_action_usd,
    cost_ratio.ratio as cost_ratio,
    cost_ratio.bounds.low as cost_ratio_low,
    cost_ratio.bounds.high as cost_ratio_high,
    from_side.labelled_count as from_labelled_count,
    to_side.labelled_count as to_labelled_count,
    from_side.success_count / nullif(from_side.labelled_count, 0) as from_success_share,
    to_side.success_count / nullif(to_side.labelled_count, 0) as to_success_share,
    success.change as success_change_share,
    success.low as success_change_low_share,
    success.high as success_change_high_share,
    usd_from_pico(
        divide_half_even(from_side.labelled_cost_pico, from_side.priced_success_count)
    ) as from_cost_per_outcome_usd,
    usd_from_pico(
        divide_half_even(to_side.labelled_cost_pico, to_side.priced_success_count)
    ) as to_cost_per_outcome_usd,
from pairs
