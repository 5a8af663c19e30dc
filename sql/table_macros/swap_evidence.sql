-- one row per feature that both models served, and token class: what an action takes on either, as measured
-- swap_evidence(from_model, to_model)
-- feature | product feature, or unattributed; features are not pooled, for then their mix would pass for a model's effect
-- token_class | input (cached included), cache_read, cache_write (of any time), output, or total (input and output)
-- basis | side by side (only the days of the overlap are compared: at least 30 actions of each), partly side by side (they overlap by fewer, all days are compared), before and after, or undated
-- from_action_count | actions all of whose calls were made on the first model, their usage known
-- to_action_count | the same on the second
-- from_tokens_per_action | mean tokens of an action on the first model; null: no call tells of this class
-- to_tokens_per_action | the same on the second
-- ratio | to_tokens_per_action over from_tokens_per_action
-- ratio_low | lower bound of the 95 % interval of the ratio; null: too few actions, or all alike
-- ratio_high | its upper bound
-- from_first_day | first day of the compared actions on the first model (UTC); null: undated
-- from_last_day | the last
-- to_first_day | the first on the second model
-- to_last_day | the last
-- overlap_first_day | first day of the span in which both served; null: none
-- overlap_last_day | its last day
-- mixed_action_count | actions on one of the two and on another model as well, in neither sample
-- unknown_usage_action_count | actions on either alone with a billed call of unknown usage: not in tokens per action
-- unpriced_action_count | actions on either alone with a call without a cost: not in any cost of the row
-- from_cache_share | cache reads over all input, first model; null: no call tells of any
-- to_cache_share | the same on the second
-- from_labelled_count | actions on the first model alone with an outcome, success or not; unknown usage included
-- to_labelled_count | the same on the second
-- from_success_share | successes over these, first model
-- to_success_share | the same on the second
-- success_change_share | to_success_share less from_success_share
-- success_change_low_share | lower bound of its 95 % interval
-- success_change_high_share | its upper bound
-- from_cost_per_action_usd | mean cost of a priced action on the first model
-- to_cost_per_action_usd | the same on the second
-- cost_ratio | cost per action, second over first
-- cost_ratio_low | lower bound of its 95 % interval
-- cost_ratio_high | its upper bound
-- from_cost_per_outcome_usd | cost of the priced labelled actions over their successes, first model; null: no success
-- to_cost_per_outcome_usd | the same on the second
with named_calls as (
    select
        coalesce(feature, 'unattributed') as feature,
        action_id,
        day,
        coalesce(model, model_requested) as served_model,
        -- A call that tells no model is on neither: its action is mixed.
        coalesce(from_model in (served_model, concat_ws('/', provider, served_model)), false) as is_from,
        coalesce(to_model in (served_model, concat_ws('/', provider, served_model)), false) as is_to,
        input_tokens,
        cache_read_tokens,
        case
            when coalesce(cache_write_5m_tokens, cache_write_1h_tokens, cache_write_other_tokens) is not null
                then coalesce(cache_write_5m_tokens, 0)::hugeint
                + coalesce(cache_write_1h_tokens, 0)
                + coalesce(cache_write_other_tokens, 0)
        end as cache_write_tokens,
        output_tokens,
        cost_pico,
        input_tokens is not null and output_tokens is not null or status in ('cache_hit', 'refused') as is_known,
    from calls
),

whole_actions as (
    select
        feature,
        action_id,
        case when bool_and(is_from) then 'from' when bool_and(is_to) then 'to' else 'mixed' end as side,
        min(day) as day,
        sum(input_tokens) as input_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_tokens) as cache_write_tokens,
        sum(output_tokens) as output_tokens,
        bool_and(is_known) and sum(input_tokens) is not null and sum(output_tokens) is not null as is_known,
        case when count(cost_pico) = count(*) then sum(cost_pico) end as cost_pico,
    from named_calls
    group by feature, action_id
    having bool_or(is_from or is_to)
),

served_actions as (
    select
        whole_actions.*,
        outcomes.is_success,
    from whole_actions
    left join outcomes
        on whole_actions.action_id = outcomes.action_id
        and outcomes.is_latest
),

spans as (
    select
        feature,
        min(day) filter (where side = 'from') as from_first_day,
        max(day) filter (where side = 'from') as from_last_day,
        min(day) filter (where side = 'to') as to_first_day,
        max(day) filter (where side = 'to') as to_last_day,
        case when from_first_day <= to_last_day and to_first_day <= from_last_day
            then greatest(from_first_day, to_first_day)
        end as overlap_first_day,
        case when overlap_first_day is not null then least(from_last_day, to_last_day) end as overlap_last_day,
    from served_actions
    where is_known
    group by feature
    having bool_or(side = 'from') and bool_or(side = 'to')
),

overlap_counts as (
    select
        spans.feature,
        count(*) filter (where served_actions.side = 'from') as from_count,
        count(*) filter (where served_actions.side = 'to') as to_count,
    from spans
    inner join served_actions
        on spans.feature = served_actions.feature
    where served_actions.is_known and served_actions.day between spans.overlap_first_day and spans.overlap_last_day
    group by spans.feature
),

overlap_days as (
    select
        spans.feature,
        spans.overlap_first_day,
        spans.overlap_last_day,
        coalesce(overlap_counts.from_count >= 30 and overlap_counts.to_count >= 30, false) as is_side_by_side,
        case
            when is_side_by_side then 'side by side'
            when spans.overlap_first_day is not null then 'partly side by side'
            when spans.from_first_day is not null and spans.to_first_day is not null then 'before and after'
            else 'undated'
        end as basis,
    from spans
    left join overlap_counts
        on spans.feature = overlap_counts.feature
),

compared_actions as (
    select
        served_actions.*,
        case when served_actions.is_known then served_actions.input_tokens end as known_input,
        case when served_actions.is_known then served_actions.output_tokens end as known_output,
        -- An action that tells of no cache used none, unless no action of its side tells of any.
        case when served_actions.is_known then coalesce(served_actions.cache_read_tokens, 0) end as known_cache_read,
        case when served_actions.is_known then coalesce(served_actions.cache_write_tokens, 0) end as known_cache_write,
        case when served_actions.is_known then served_actions.day end as known_day,
        served_actions.is_success and served_actions.cost_pico is not null as is_priced_success,
    from served_actions
    inner join overlap_days
        on served_actions.feature = overlap_days.feature
    where
        not overlap_days.is_side_by_side
        or served_actions.day between overlap_days.overlap_first_day and overlap_days.overlap_last_day
),

sides as (
    select
        feature,
        side,
        count(*) as action_count,
        count(*) filter (where not is_known) as unknown_usage_action_count,
        count(*) filter (where cost_pico is null) as unpriced_action_count,
        min(known_day) as first_day,
        max(known_day) as last_day,
        mean_of_sample(known_input) as input,
        case when count(cache_read_tokens) > 0 then mean_of_sample(known_cache_read) end as cache_read,
        case when count(cache_write_tokens) > 0 then mean_of_sample(known_cache_write) end as cache_write,
        mean_of_sample(known_output) as output,
        mean_of_sample(known_input + known_output) as total,
        mean_of_sample(cost_pico) as cost,
        sum(cost_pico) as cost_pico,
        count(is_success) as labelled_count,
        count(*) filter (where is_success) as success_count,
        sum(cost_pico) filter (where is_success is not null) as labelled_cost_pico,
        count(*) filter (where is_priced_success) as priced_success_count,
    from compared_actions
    group by feature, side
),

pairs as (
    select
        from_side.feature,
        from_side,
        to_side,
        coalesce(mixed_side.action_count, 0) as mixed_action_count,
        ratio_of_means(to_side.cost, from_side.cost) as cost_ratio,
        share_change(
            from_side.success_count, from_side.labelled_count, to_side.success_count, to_side.labelled_count
        ) as success,
        unnest([
            {'token_class': 'input', 'bottom': from_side.input, 'top': to_side.input},
            {'token_class': 'cache_read', 'bottom': from_side.cache_read, 'top': to_side.cache_read},
            {'token_class': 'cache_write', 'bottom': from_side.cache_write, 'top': to_side.cache_write},
            {'token_class': 'output', 'bottom': from_side.output, 'top': to_side.output},
            {'token_class': 'total', 'bottom': from_side.total, 'top': to_side.total}
        ]) as samples,
    from sides as from_side
    inner join sides as to_side
        on from_side.feature = to_side.feature
        and to_side.side = 'to'
    left join sides as mixed_side
        on from_side.feature = mixed_side.feature
        and mixed_side.side = 'mixed'
    where from_side.side = 'from'
),

ratios as (
    select
        *,
        ratio_of_means(samples.top, samples.bottom) as tokens_ratio,
    from pairs
)

select
    ratios.feature,
    ratios.samples.token_class,
    overlap_days.basis,
    ratios.from_side.input.count as from_action_count,
    ratios.to_side.input.count as to_action_count,
    ratios.samples.bottom.mean as from_tokens_per_action,
    ratios.samples.top.mean as to_tokens_per_action,
    ratios.tokens_ratio.ratio as ratio,
    ratios.tokens_ratio.bounds.low as ratio_low,
    ratios.tokens_ratio.bounds.high as ratio_high,
    ratios.from_side.first_day as from_first_day,
    ratios.from_side.last_day as from_last_day,
    ratios.to_side.first_day as to_first_day,
    ratios.to_side.last_day as to_last_day,
    overlap_days.overlap_first_day,
    overlap_days.overlap_last_day,
    ratios.mixed_action_count,
    ratios.from_side.unknown_usage_action_count
    + ratios.to_side.unknown_usage_action_count as unknown_usage_action_count,
    ratios.from_side.unpriced_action_count + ratios.to_side.unpriced_action_count as unpriced_action_count,
    ratios.from_side.cache_read.mean / nullif(ratios.from_side.input.mean, 0) as from_cache_share,
    ratios.to_side.cache_read.mean / nullif(ratios.to_side.input.mean, 0) as to_cache_share,
    ratios.from_side.labelled_count as from_labelled_count,
    ratios.to_side.labelled_count as to_labelled_count,
    ratios.from_side.success_count / nullif(ratios.from_side.labelled_count, 0) as from_success_share,
    ratios.to_side.success_count / nullif(ratios.to_side.labelled_count, 0) as to_success_share,
    ratios.success.change as success_change_share,
    ratios.success.low as success_change_low_share,
    ratios.success.high as success_change_high_share,
    usd_from_pico(
        divide_half_even(ratios.from_side.cost_pico, ratios.from_side.cost.count)
    ) as from_cost_per_action_usd,
    usd_from_pico(divide_half_even(ratios.to_side.cost_pico, ratios.to_side.cost.count)) as to_cost_per_action_usd,
    ratios.cost_ratio.ratio as cost_ratio,
    ratios.cost_ratio.bounds.low as cost_ratio_low,
    ratios.cost_ratio.bounds.high as cost_ratio_high,
    usd_from_pico(
        divide_half_even(ratios.from_side.labelled_cost_pico, ratios.from_side.priced_success_count)
    ) as from_cost_per_outcome_usd,
    usd_from_pico(
        divide_half_even(ratios.to_side.labelled_cost_pico, ratios.to_side.priced_success_count)
    ) as to_cost_per_outcome_usd,
from ratios
inner join overlap_days
    on ratios.feature = overlap_days.feature
