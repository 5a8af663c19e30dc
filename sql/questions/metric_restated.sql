-- Days of which the last publication tells otherwise than the one before.
select count(*)::bigint as day_count
from restatements
