-- Which logs do not say whose calls they are?
-- Read: one row for each log file, those with most calls without a feature first; [attribution] in tokenspread.toml says where to look for them.
-- Unknown: shares of calls, not of cost; what share of the cost is attributed is in unit_economics (known_feature_cost_share, ...). A file without a call in the ledger has shares of null.
with params as (
    select
        null::varchar as shape, -- one log format; null: all
)

select
    files.path as source_file,
    files.shape,
    files.call_count,
    files.no_feature_call_count,
    files.no_feature_call_count / nullif(files.call_count, 0) as no_feature_share,
    files.no_user_call_count / nullif(files.call_count, 0) as no_user_share,
    files.no_customer_call_count / nullif(files.call_count, 0) as no_customer_share,
from files
cross join params
where files.kind = 'calls' and (params.shape is null or files.shape = params.shape)
order by files.no_feature_call_count desc, files.call_count desc, files.path
