-- Intervals at 95 %: closed forms over counts and sums, so that any grouping has them in one pass. Shares and figures are
-- estimates (double), never money: money stays integer until it is divided.

-- The 97.5 % quantile of Student's t. Exact for 1 and 2 degrees of freedom, else the expansion around the normal quantile
-- (Abramowitz and Stegun 1964, 26.7.5): within 0.13 % at 3, 0.005 % from 6 on; null below 1.
create or replace macro t95(freedom) as
    case
        when freedom < 1 then null
        when freedom < 2 then 12.706204736432095
        when freedom < 3 then 4.302652729696142
        else 1.959963984540054
            + 2.372271230 / freedom
            + 2.822498616 / freedom ** 2
            + 2.555849680 / freedom ** 3
            + 1.589534053 / freedom ** 4
    end;

-- Wilson's score interval of a share, {low, high} (E. B. Wilson, JASA 22, 1927): right where successes are few, too, and
-- never outside 0 to 1. Null for no trials.
create or replace macro wilson(successes, trials) as
    case when trials > 0 then {
        'low': greatest(
            0,
            (
                successes + 1.9207294103470447
                - 1.959963984540054 * sqrt(successes::double * (trials - successes) / trials + 0.9603647051735224)
            ) / (trials + 3.8414588206940895)
        ),
        'high': least(
            1,
            (
                successes + 1.9207294103470447
                + 1.959963984540054 * sqrt(successes::double * (trials - successes) / trials + 0.9603647051735224)
            ) / (trials + 3.8414588206940895)
        )
    } end;

-- Fieller's interval of a ratio of means top/bottom, {low, high} (E. C. Fieller, JRSS B 16, 1954): of the two means, the
-- variances of these means, their covariance (0 for independent samples) and the quantile. Null where the bottom mean
-- cannot be told from 0: then no bounded interval holds the ratio.
create or replace macro fieller(top, bottom, top_variance, bottom_variance, covariance, quantile) as
    case when bottom * bottom > quantile * quantile * bottom_variance then {
        'low': (
            top * bottom - quantile * quantile * covariance
            - sqrt(greatest(
                0,
                (top * bottom - quantile * quantile * covariance) ** 2
                - (bottom * bottom - quantile * quantile * bottom_variance)
                * (top * top - quantile * quantile * top_variance)
            ))
        ) / (bottom * bottom - quantile * quantile * bottom_variance),
        'high': (
            top * bottom - quantile * quantile * covariance
            + sqrt(greatest(
                0,
                (top * bottom - quantile * quantile * covariance) ** 2
                - (bottom * bottom - quantile * quantile * bottom_variance)
                * (top * top - quantile * quantile * top_variance)
            ))
        ) / (bottom * bottom - quantile * quantile * bottom_variance)
    } end;

-- Welch's degrees of freedom of two means: of their variances and sample sizes (B. L. Welch, Biometrika 34, 1947).
create or replace macro welch_freedom(one_variance, one_count, other_variance, other_count) as
    (one_variance + other_variance) ** 2
    / nullif(one_variance ** 2 / nullif(one_count - 1, 0) + other_variance ** 2 / nullif(other_count - 1, 0), 0);
