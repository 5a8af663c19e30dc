-- one row per line, or record of a line of several, that could not become a call or an outcome
-- source_file | path of its log file
-- line_number | line (row, element) of that file, from 1
-- part | which record of a line that holds several; null: the whole line
-- reason | why it was quarantined
-- content_id | the log file, see files
select
    contents.path as source_file,
    quarantine.line_number,
    quarantine.part,
    quarantine.reason,
    quarantine.content_id,
from source.quarantine as quarantine
left join source.contents as contents
    on quarantine.content_id = contents.content_id
