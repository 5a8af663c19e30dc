-- one row per thing that is known of a line of a log without a call: why it was quarantined, or that its file was read
-- $path, $tail | its path made absolute, or the end of it with a slash before it
-- $line_number | line, from 1
-- is_file_known | a log of that path was read
-- reason | why the line was quarantined; null: it was not
select
    count(*) > 0 as is_file_known,
    (
        select min(reason)
        from quarantine
        where line_number = $line_number and (source_file = $path or ends_with('/' || source_file, $tail))
    ) as reason,
from source.contents
where path = $path or ends_with('/' || path, $tail)
