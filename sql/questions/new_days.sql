-- days that were not published before and are over on $until
select day
from restatements
where change = 'new day' and day <= $until
order by day desc
