-- What bridges between two periods need: names in a dimension, and money times a fraction without a float.

-- The name of a call or cell in a dimension, as unit_economics has it; both are told by the name of their table.
create or replace macro name_in(dimension, attributed) as
    case dimension
        when 'all' then 'all'
        when 'feature' then coalesce(attributed.feature, 'unattributed')
        when 'user' then coalesce(attributed.user_id, 'unattributed')
        when 'customer' then coalesce(attributed.customer_id, 'unattributed')
        when 'model' then concat_ws('/', attributed.provider, coalesce(attributed.model, 'unknown'))
        else error(concat('no such dimension: ', dimension, '; choose all, feature, user, customer or model'))
    end;

-- amount * times / over as {whole, rest}: integers, and 1e-12 of one, cut off. No product in it is above the result, above
-- one of two quantities, or above a quantity times 1e12: quantities up to 1e18 fit, and every result that does. Null over 0.
create or replace macro scaled(amount, times, over) as {
    'whole': (amount // nullif(over, 0)) * times + ((amount % nullif(over, 0)) * times) // nullif(over, 0),
    'rest': ((((amount % nullif(over, 0)) * times) % nullif(over, 0)) * 1000000000000::hugeint) // nullif(over, 0)
};

-- The integer nearest to such a number, or to a sum of them, a half going to the even neighbour.
create or replace macro nearest(whole, rest) as
    whole + rest // 1000000000000::hugeint
    + case
        when 2 * (rest % 1000000000000::hugeint) > 1000000000000::hugeint then 1
        when 2 * (rest % 1000000000000::hugeint) = 1000000000000::hugeint then (whole + rest // 1000000000000::hugeint) % 2
        else 0
    end;

-- An amount times a fraction, as the nearest integer.
create or replace macro scaled_to_nearest(amount, times, over) as
    nearest(
        scaled(amount::hugeint, times::hugeint, over::hugeint).whole,
        scaled(amount::hugeint, times::hugeint, over::hugeint).rest
    );
