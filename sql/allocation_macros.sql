-- Shares of an amount of money, exact. amount x weight may take more than 128 bits, so the amount is divided limb by limb
-- (base 10^9), as on paper. Exact for 0 <= weight <= total < 10^29 and amount < 10^27; beyond that DuckDB raises an error.

create or replace macro share_rest_high(amount, weight, total) as
    (amount // 1000000000000000000::hugeint) * weight % total;

create or replace macro share_middle(amount, weight, total) as
    share_rest_high(amount, weight, total) * 1000000000::hugeint
    + (amount // 1000000000::hugeint % 1000000000::hugeint) * weight;

create or replace macro share_low(amount, weight, total) as
    share_middle(amount, weight, total) % total * 1000000000::hugeint
    + (amount % 1000000000::hugeint) * weight;

-- amount x weight // total
create or replace macro share_quotient(amount, weight, total) as
    ((amount // 1000000000000000000::hugeint) * weight // total) * 1000000000000000000::hugeint
    + (share_middle(amount, weight, total) // total) * 1000000000::hugeint
    + share_low(amount, weight, total) // total;

-- amount x weight % total
create or replace macro share_remainder(amount, weight, total) as
    share_low(amount, weight, total) % total;

-- The integer nearest to amount x weight / total, a half going to the even neighbour. None is negative.
create or replace macro share_half_even(amount, weight, total) as
    share_quotient(amount, weight, total)
    + case
        when 2 * share_remainder(amount, weight, total) > total then 1::hugeint
        when 2 * share_remainder(amount, weight, total) = total then share_quotient(amount, weight, total) % 2
        else 0::hugeint
    end;

-- A row's part of the amount of its `whole`, by the largest remainder: every row gets its share rounded down, and what is
-- left goes unit by unit to the rows with the largest remainders, of equals to the one first in `place`. The rows of a
-- whole have the same amount and the same total, which is the sum of their weights and above zero; then their parts add
-- up to the amount. A negative amount is allocated as its opposite is.
create or replace macro largest_remainder(amount, weight, total, whole, place) as
    sign(amount)::hugeint * (
        share_quotient(abs(amount), weight, total)
        + case
            when
                row_number() over (
                    partition by whole
                    order by share_remainder(abs(amount), weight, total) desc, place
                ) <= abs(amount) - sum(share_quotient(abs(amount), weight, total)) over (partition by whole)
                then 1::hugeint
            else 0::hugeint
        end
    );

-- Whether a model is one that a pattern of the price file speaks of: `*` is any text, case does not matter. A model that
-- is not known is spoken of by `*` alone.
create or replace macro is_spoken_of(model, pattern) as
    lower(coalesce(model, '')) like replace(replace(replace(replace(
        lower(pattern), '\', '\\'), '%', '\%'), '_', '\_'), '*', '%') escape '\';
