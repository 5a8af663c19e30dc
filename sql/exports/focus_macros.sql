-- What the export to FOCUS needs; made in memory, beside the published macros.

-- Whose a charge is, as the JSON of FOCUS' Tags, without what is unknown; null: nothing is known.
create or replace temporary macro focus_tags(used) as
    '{' || nullif(concat_ws(
        ',',
        '"feature":' || to_json(used.feature)::varchar,
        '"user":' || to_json(used.user_id)::varchar,
        '"customer":' || to_json(used.customer_id)::varchar,
        '"environment":' || to_json(used.environment)::varchar
    ), '') || '}';

-- Exact millionths of a count.
create or replace temporary macro millionths(quantity) as
    (quantity::hugeint // 1000000)::decimal(38, 6)
    + (quantity::hugeint % 1000000)::decimal(6, 0) * 0.000001::decimal(6, 6);

create or replace temporary macro utc_midnight(day) as day::timestamp at time zone 'UTC';

-- Clouds, which sell other things too, by the names that they go by in FOCUS; others as the log has them.
create or replace temporary macro focus_name(provider) as
    case provider when 'aws' then 'AWS' when 'azure' then 'Microsoft' when 'google' then 'Google Cloud' else provider end;

create or replace temporary macro focus_service(provider) as
    case provider
        when 'aws' then 'Amazon Bedrock'
        when 'azure' then 'Azure OpenAI'
        when 'google' then 'Gemini API'
        else provider || ' API'
    end;
