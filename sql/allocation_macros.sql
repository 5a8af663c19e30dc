-- Shares of an amount of money, exact. amount x weight may take more than 128 bits, so the amount is divided limb by limb
-- (base 10^9), as on paper. Exact for 0 <= weight <= total <= 85 x 10^27 (in atto-USD 85 billion USD) and amount < 10^27:
-- share_low and share_middle stay below total x 2 x 10^9. What then exceeds 128 bits is an error of DuckDB, no wrong figure.

-- First limb of share_quotient's long division: what is left of the amount's highest limb.
create or replace macro share_rest_high(amount, weight, total) as
    (amount // 1000000000000000000::hugeint) * weight % total;

-- Second limb of it: what the first one leaves, with the middle limb.
create or replace macro share_middle(amount, weight, total) as
    share_rest_high(amount, weight, total) * 1000000000::hugeint
    + (amount // 1000000000::hugeint % 1000000000::hugeint) * weight;

-- Third limb of it: what the second one leaves, with the lowest limb.
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

-- A row's part of the amount of its `whole`, by the largest remainder: every row gets `quotient`, its share rounded down,
-- and what is left goes unit by unit to the rows with the largest `remainder`, of equals to the one first in `place`. The
-- two are share_quotient and share_remainder of the amount without its sign, made before: within a window they would be
-- worked out again and again. The rows of a whole have the same amount and the same total, which is the sum of their
-- weights and above zero; then their parts add up to the amount. A negative amount is allocated as its opposite is.
create or replace macro largest_remainder(amount, quotient, remainder, whole, place) as
    sign(amount)::hugeint * (
        quotient
        + case
            when
                row_number() over (partition by whole order by remainder desc, place)
                <= abs(amount) - sum(quotient) over (partition by whole)
                then 1::hugeint
            else 0::hugeint
        end
    );

-- Whether a model is one that a pattern of the price file speaks of: `*` is any text, case does not matter. A model that
-- is not known is spoken of by `*` alone.
create or replace macro is_spoken_of(model, pattern) as
    case
        when model is null then pattern = '*'
        else lower(model) like replace(replace(replace(replace(
            lower(pattern), '\', '\\'), '%', '\%'), '_', '\_'), '*', '%') escape '\'
    end;

-- Whether a term is about what a provider serves as `model`; a term that names no provider is about all.
create or replace macro is_about(term, served_provider, served_model) as
    (term.provider is null or coalesce(lower(term.provider) = lower(served_provider), false))
    and is_spoken_of(served_model, term.model);
