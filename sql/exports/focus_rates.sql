-- two rows per rate card: its rates by the contract and by the list, which split a call into the same classes
-- card_id | rate card
-- is_list | the list's: the book without the contract's prices; no row: no list has the model
-- input_rate and so on | pico-USD of one unit; null: none
with stated as (
    select
        false as is_list,
        card_id,
        columns('.*_rate'),
    from source.rate_cards
    union all by name
    select
        true as is_list,
        card_id,
        columns('.*_rate'),
    from source.book_rates
    where book = 'list' and price_status is not null
    union all by name
    -- Without a contract there is no book of its own: the prices are the list's.
    select
        true as is_list,
        card_id,
        columns('.*_rate'),
    from source.rate_cards
    where price_status is not null and not exists (from source.book_rates where book = 'list')
),

-- What only one of the two has a rate of of its own costs by the other what its main class costs.
parts as (
    select
        card_id,
        bool_or(input_audio_rate is not null) as has_input_audio,
        bool_or(input_image_rate is not null) as has_input_image,
        bool_or(input_video_rate is not null) as has_input_video,
        bool_or(cache_read_audio_rate is not null) as has_cache_read_audio,
        bool_or(output_audio_rate is not null) as has_output_audio,
        bool_or(output_image_rate is not null) as has_output_image,
        bool_or(reasoning_rate is not null) as has_reasoning,
        bool_or(request_rate is not null) as has_request,
    from stated
    group by card_id
)

select
    stated.* replace (
        coalesce(input_audio_rate, case when has_input_audio then input_rate end) as input_audio_rate,
        coalesce(input_image_rate, case when has_input_image then input_rate end) as input_image_rate,
        coalesce(input_video_rate, case when has_input_video then input_rate end) as input_video_rate,
        coalesce(cache_read_audio_rate, case when has_cache_read_audio then cache_read_rate end)
            as cache_read_audio_rate,
        coalesce(output_audio_rate, case when has_output_audio then output_rate end) as output_audio_rate,
        coalesce(output_image_rate, case when has_output_image then output_rate end) as output_image_rate,
        coalesce(reasoning_rate, case when has_reasoning then output_rate end) as reasoning_rate,
        coalesce(request_rate, case when has_request then 0 end) as request_rate
    ),
from stated
inner join parts
    on stated.card_id = parts.card_id
