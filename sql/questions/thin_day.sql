-- thin_days of one day
from thin_days(as_of := $day)
