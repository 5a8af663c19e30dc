-- Every line of a log file is kept, a duplicate, quarantined, another line, blank or pruned; no count is negative.
select *
from files
where
    line_count is distinct from
    kept_line_count + duplicate_count + quarantined_count + other_count + blank_count + pruned_count
    or duplicate_count < 0
    or pruned_count < 0
