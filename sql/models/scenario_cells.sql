-- one row per cell of the usage cube as it is, and one per scoped scenario, cell and bound: where its calls go; for the length of a build
-- scope | order of the scoped scenario; null: every other scenario, in which calls stay where they are
-- bound | exact; or low, point and high, see scenario_moves
-- variant | which changes of rates, see source.scenario_rates
-- card_id | rate card that prices the calls; null: none
-- is_priced | whether the card may price them, or nothing is to be priced
-- is_moved | the calls go to another price ref
-- is_lost | the calls are no longer made, and cost nothing
-- activity_nano | so much of what was done is done, in 1e-9
-- input_ratio_nano | input tokens over those before, in 1e-9
-- output_ratio_nano | output tokens over those before, in 1e-9
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
    is_priced(price_status) or (price_status = 'class_unpriced' and card_id is not null) as is_priced,
    false as is_moved,
    false as is_lost,
    1000000000 as activity_nano,
    1000000000 as input_ratio_nano,
    1000000000 as output_ratio_nano,
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
    moves.is_moved,
    moves.is_lost,
    moves.activity_nano,
    moves.input_ratio_nano,
    moves.output_ratio_nano,
    moves.provider as term_provider,
    moves.priced_model as term_model,
    cells.*,
from scenario_moves as moves
inner join cells
    on moves.cell_id = cells.cell_id
