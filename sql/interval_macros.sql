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

-- A sample's {count, mean, variance of the mean}, of an integer amount that is null where it is not of the sample. Sums
-- are exact, so any order of the rows gives the same digits; amounts beyond 1e17 have no square, and so no variance.
create or replace macro mean_of_sample(amount) as {
    'count': count(amount),
    'mean': sum(amount)::double / nullif(count(amount), 0),
    'variance': case when count(amount) > 1 and max(abs(amount)) < 100000000000000000 then
        greatest(
            0,
            sum(
                case when abs(amount) < 100000000000000000 then amount::hugeint * amount::hugeint end
            )::double
            - sum(amount)::double * sum(amount)::double / count(amount)
        ) / (count(amount) - 1) / count(amount)
    end
};

-- The ratio top/bottom of the means of two independent samples, {ratio, bounds: {low, high}}: Fieller's interval with
-- Welch's freedom at that ratio. Token counts are skewed; at 200 actions on either side it covers 95 %, where the interval
-- of the logarithm covers 94 to 95 %. Null bounds: fewer than two in a sample, no spread at all, or a bottom that may be 0.
create or replace macro ratio_of_means(top, bottom) as {
    'ratio': top.mean / nullif(bottom.mean, 0),
    -- Lambdas name what is needed often: as plain macros in macros these few lines took seconds to plan.
    'bounds': list_transform(
        [{'top': top, 'bottom': bottom, 'bottom_variance': bottom.variance * (top.mean / nullif(bottom.mean, 0)) ** 2}],
        lambda pair: list_transform(
            [welch_freedom(pair.top.variance, pair.top.count, pair.bottom_variance, pair.bottom.count)],
            lambda freedom: list_transform(
                [t95(freedom)],
                lambda quantile: fieller(
                    pair.top.mean, pair.bottom.mean, pair.top.variance, pair.bottom.variance, 0, quantile
                )
            )[1]
        )[1]
    )[1]
};

-- What a share changed by, other less one, {change, low, high}: Newcombe's hybrid of Wilson's intervals (R. G. Newcombe,
-- Statistics in Medicine 17, 1998, method 10). Null where either has no trials.
create or replace macro share_change(successes, trials, other_successes, other_trials) as
    case when trials > 0 and other_trials > 0 then {
        'change': other_successes / other_trials - successes / trials,
        'low': other_successes / other_trials - successes / trials - sqrt(
            (other_successes / other_trials - wilson(other_successes, other_trials).low) ** 2
            + (wilson(successes, trials).high - successes / trials) ** 2
        ),
        'high': other_successes / other_trials - successes / trials + sqrt(
            (wilson(other_successes, other_trials).high - other_successes / other_trials) ** 2
            + (successes / trials - wilson(successes, trials).low) ** 2
        )
    } end;

-- Pearson's chi-square of two shares, with one degree of freedom: the square of how many standard errors they are apart.
create or replace macro chi_square(part, whole, other_part, other_whole) as
    (whole::double + other_whole)
    * (part::double * (other_whole - other_part) - other_part::double * (whole - part)) ** 2
    / nullif(
        whole::double * other_whole * (part + other_part) * (whole + other_whole - part - other_part), 0
    );
