-- What a bill is compared with: quantity and cost of each day, model and token class.
select
    day,
    provider,
    model,
    token_class,
    sum(quantity) as quantity,
    sum(unpriced_quantity) as unpriced_quantity,
    sum(cost_pico) as cost_pico
from cost_by_class
group by all
