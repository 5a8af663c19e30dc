-- Values as a CSV or JSON file has them; made in memory, beside the published macros.

-- Text that a spreadsheet would take for a formula, behind an apostrophe; a figure such as -30% is none.
create or replace temporary macro csv_text(told) as
    case
        when regexp_matches(told, '^([=@\t\r\n＝＠＋－]|[+-])')
            and not regexp_full_match(told, '[+-]\d[\d,.]*(e[+-]?\d+)?\s?%?', 'i')
            then '''' || told
        else told
    end;

-- An instant in UTC, with a fraction of a second where there is one.
create or replace temporary macro utc_text(instant) as
    replace(strftime(instant at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z');

-- JSON knows no other floats.
create or replace temporary macro json_number(number) as case when isfinite(number) then number end;
