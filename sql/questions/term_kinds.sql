-- one row per kind of contract term that the price file has
select distinct kind
from source.contract_terms
order by kind desc
