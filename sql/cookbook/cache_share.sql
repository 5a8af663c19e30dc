-- How much of the input was read from a cache, by feature and model; null: the logs do not tell.
select
    feature,
    model,
    sum(input_tokens) as input_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_read_tokens) / nullif(sum(input_tokens), 0) as cache_read_share,
from usage_cube
group by all
order by input_tokens desc nulls last
