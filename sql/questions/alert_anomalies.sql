-- spend_anomalies of $day, those that are, the greatest impact first
from spend_anomalies(as_of := $day)
where is_anomaly
order by abs(impact_usd) desc, dimension, name
