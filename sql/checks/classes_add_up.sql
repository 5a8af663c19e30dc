-- The costs by class are those of the cube (which are the calls'), to the last digit, and they are of disjoint classes.
with totals as (
    select
        (select sum(cost_pico) from usage_cube) as calls_pico,
        (select sum(cost_pico) from cost_by_class) as classes_pico,
)

select *
from totals
where coalesce(calls_pico, 0) <> coalesce(classes_pico, 0) -- without any priced call both are nothing
