-- Every line of a log file of calls is a call's, a duplicate's, quarantined, another line or blank; no count is negative.
select *
from files
where
    kind = 'calls'
    and (
        line_count is distinct from kept_line_count + duplicate_count + quarantined_count + other_count + blank_count
        or duplicate_count < 0
    )
