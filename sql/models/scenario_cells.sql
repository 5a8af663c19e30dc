-- one row per cell of the usage cube as it is, and one per scoped scenario, cell and bound: where its calls go; for the length of a build
-- scope | order of the scoped scenario; null: every other scenario, in which calls stay where they are
-- bound | exact; or low, point and high, see scenario_moves
-- variant | which changes of rates, see source.scenario_rates
-- card_id | rate card that prices the calls; null: none
-- is_priced | whether the card prices them, or nothing is to be priced
-- is_lost | the calls are no longer made, and cost nothing
-- term_provider | who serves the calls there, as a contract speaks of them
-- term_model | the model there
with cells as (
    select * exclude (card_id)
    from usage_cube
)

select
    null::integer as scope,
    'exact' as bound,
    0 as variant,
    card_id,
    is_priced(price_status) as is_priced,
    false as is_lost,
    provider as term_provider,
    priced_model as term_model,
    * exclude (card_id),
from usage_cube
union all
select
    moves.scope,
    moves.bound,
    moves.variant,
    moves.card_id,
    moves.is_priced,
    moves.is_lost,
    moves.provider as term_provider,
    moves.priced_model as term_model,
    cells.*,
from scenario_moves as moves
inner join cells
    on moves.cell_id = cells.cell_id
