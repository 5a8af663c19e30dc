-- one row per amount of revenue, as given
-- period_start | first day (UTC, inclusive); null: the whole log
-- period_end | day after the last one; null: the whole log
-- feature | feature that it is earned with; null: not restricted to one
-- user_id | user who pays it; null: not restricted to one
-- customer_id | customer who pays it; null: not restricted to one
-- outcome | outcome that it is earned with; null: not restricted to one
-- revenue_usd | revenue of the period; null in a row per success
-- revenue_per_success_usd | revenue of each success; null in a row per period
select
    period_start,
    period_end,
    feature,
    user_id,
    customer_id,
    outcome,
    usd_from_pico(revenue_pico) as revenue_usd,
    usd_from_pico(revenue_per_success_pico) as revenue_per_success_usd,
from source.revenue
