-- one row per log file, provider, model and cause of the calls whose recorded cost differs from ours
-- content_id | log file, see files
-- source_file | path of that log file
-- provider | who served the calls
-- model | model as served
-- likely_cause | what makes the recorded cost of the same tokens; null: unknown
-- call_count | calls; one that two causes explain together is in the rows of both
-- recorded_cost_usd | what the log says that these calls cost
-- cost_usd | our cost of them
-- gap_usd | what this cause explains of recorded less ours; over all causes it adds up to the whole difference
-- largest_gap_usd | of one call, in either direction: near gap_usd where a single call makes the sum
with causes as (
    select
        *,
        unnest(
            case
                when short_writes_gap_usd is null then [{'cause': likely_cause, 'gap_usd': gap_usd}]
                else [
                    {
                        'cause': replace(likely_cause, ', 1-hour writes at the 5-minute rate', ''),
                        'gap_usd': gap_usd - short_writes_gap_usd
                    },
                    {'cause': '1-hour writes at the 5-minute rate', 'gap_usd': short_writes_gap_usd}
                ]
            end
        ) as told,
    from recorded_cost_differences
)

select
    content_id,
    source_file,
    provider,
    model,
    told.cause as likely_cause,
    count(*) as call_count,
    sum(recorded_cost_usd) as recorded_cost_usd,
    sum(cost_usd) as cost_usd,
    sum(told.gap_usd) as gap_usd,
    max(abs(told.gap_usd)) as largest_gap_usd,
from causes
group by all
