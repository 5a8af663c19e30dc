-- Which lines could not be read, why, and in which files?
-- Read: one row for each reason and file, the most lines first, with a line to look at; `tokenspread quarantine show FILE` shows them, and `tokenspread quarantine retry` takes them in after a mapping was mended.
-- Unknown: what these lines would have cost; their share of the file is all that can be said.
select
    quarantine.reason,
    quarantine.source_file,
    files.shape,
    count(distinct quarantine.line_number) as line_count,
    count(distinct quarantine.line_number) / nullif(max(files.line_count), 0) as line_share,
    min(quarantine.line_number) as first_line_number,
from quarantine
left join files
    on quarantine.content_id = files.content_id
group by quarantine.reason, quarantine.source_file, files.shape
order by line_count desc, quarantine.source_file, quarantine.reason
