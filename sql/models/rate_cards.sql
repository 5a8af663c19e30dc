-- one row per rate card: what one unit of each class costs for calls alike in all that a price depends on; card_id of calls and usage_cube names it
-- card_id | number of the card, another in each build
-- provider | who serves the model; null: the log does not say
-- model | model that it prices
-- service_tier | service tier; null: none told
-- region | region; null: none told
-- is_batch | batch API; null: not told
-- valid_from | first instant that it holds (UTC); null: always held
-- valid_to | first instant that it holds no more (UTC); null: still holds
-- week_second_from | start of its time window, in seconds of the UTC week from Monday 00:00 (inclusive)
-- week_second_to | end of that window (exclusive); 604800: end of the week
-- context_above | it holds for calls with more input tokens than this; 0: from none on
-- context_up_to | and with at most so many; null: no bound
-- input_rate | pico-USD for one input token; null, as in all rates: none of its own
-- cache_read_rate | pico-USD for one token read from a cache
-- cache_write_5m_rate | pico-USD for one token written to a cache for five minutes
-- cache_write_1h_rate | pico-USD for one token written for one hour
-- cache_write_other_rate | pico-USD for one token written for a time not told
-- output_rate | pico-USD for one output token
-- input_audio_rate | pico-USD for one audio token of the input
-- input_image_rate | pico-USD for one image token of the input
-- input_video_rate | pico-USD for one video token of the input
-- cache_read_audio_rate | pico-USD for one cached audio token
-- output_audio_rate | pico-USD for one audio token of the output
-- output_image_rate | pico-USD for one image token of the output
-- reasoning_rate | pico-USD for one reasoning token
-- request_rate | pico-USD for one request
-- web_search_rate | pico-USD for one web search
-- file_search_rate | pico-USD for one file search
-- code_session_rate | pico-USD for one session of a code interpreter
-- compute_second_rate | pico-USD for one second of compute time
-- price_status | how sure these rates are, as in calls; null: no class has a rate
select
    card_id,
    provider,
    model,
    service_tier,
    region,
    is_batch,
    valid_from,
    valid_to,
    week_second_from,
    week_second_to,
    context_above,
    context_up_to,
    input_rate,
    cache_read_rate,
    cache_write_5m_rate,
    cache_write_1h_rate,
    cache_write_other_rate,
    output_rate,
    input_audio_rate,
    input_image_rate,
    input_video_rate,
    cache_read_audio_rate,
    output_audio_rate,
    output_image_rate,
    reasoning_rate,
    request_rate,
    web_search_rate,
    file_search_rate,
    code_session_rate,
    compute_second_rate,
    price_status,
from source.rate_cards
