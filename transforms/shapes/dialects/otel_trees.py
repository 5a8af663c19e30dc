"""Spans around spans: who a call belongs to, and which of several spans tells of a call that all of them repeat.

A call is often told by several spans: an instrumentation's and that of the SDK below it, a wrapper's that repeats or
sums what is inside, and a provider's own on the other side of the request. One of them stays a call:

1. of the spans with one response id the one of Anthropic's SDK (the only one that tells the lifetimes of cache writes;
   OpenLLMetry counts one token too many where it reads a stream), else the one with the most detail;
2. of a span and the calls inside it, at any depth, the calls inside. Not those inside a tool that it runs: they are
   calls of their own. Embeddings and generations never stand for each other. Where only the outer span tells usage it
   stays and the inner ones go;
3. of a span without a response id and one of another scope that ran within its time (in a trace of its own, else 2.
   knows it), with an id, the same model and as many tokens, the one with the id.

What a span that goes tells of whom the call belongs to, and of its details, is kept for the one that stays.
"""

import polars as pl

_DEEPEST = 9  # doublings: 2**9 spans around a span
_PLATFORM = "com.anthropic.claude-platform"
_RANK = (  # best telling of one response id first
    ~pl.col("has_usage"),
    ~pl.col("scope").str.starts_with("com.anthropic.sdk").fill_null(False),
    (pl.col("signal") == "span"),  # Claude Code's log record tells the cost
    -pl.col("$known"),
    -pl.col("output").cast(pl.Float64, strict=False).fill_null(0),  # only to rank by
    pl.col("$row"),
)


def inherited(spans: pl.DataFrame, names: list[str], resource: dict[str, str]) -> pl.DataFrame:
    """`spans` with `names` from the nearest span around that tells them, then from the column of the resource."""
    told = _nearest(spans.select(names), _parents(spans))
    told = told.with_columns(pl.coalesce(told[name], spans[column]).alias(name) for name, column in resource.items())
    return spans.with_columns(told)


def one_telling(spans: pl.DataFrame, kept: list[str], detail: list[str]) -> pl.DataFrame:
    """`spans` with `is_call` false for all but one of the spans of each call, which has what they tell of `kept`.
    `detail`: the columns that are counted as detail."""
    known = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int32) for name in detail)
    spans = spans.with_row_index("$row").with_columns(pl.col("$row").cast(pl.Int64), known.alias("$known"))
    for rule in (_same_response, _same_request, _inside_another, _within_its_time):
        twins = rule(spans)
        if not twins.is_empty():
            spans = _without(spans, twins, kept)
    return spans.drop("$row", "$known")


def _without(spans: pl.DataFrame, twins: pl.DataFrame, kept: list[str]) -> pl.DataFrame:
    """`twins`: $row of a span that is no call, and `$stays`, the one that tells of it; null: several do."""
    told = twins.filter(pl.col("$stays").is_not_null()).join(spans.select("$row", *kept), on="$row")
    told = told.group_by("$stays", maintain_order=True).agg(
        pl.col(name).drop_nulls().first().alias(f"{name} told") for name in kept
    )
    spans = spans.join(told, left_on="$row", right_on="$stays", how="left", maintain_order="left")
    gone = pl.col("$row").is_in(twins["$row"].implode())
    spans = spans.with_columns(
        (pl.col("is_call") & ~gone).alias("is_call"), *(pl.coalesce(name, f"{name} told").alias(name) for name in kept)
    )
    return spans.drop(f"{name} told" for name in kept)


def _same_response(spans: pl.DataFrame) -> pl.DataFrame:
    calls = spans.filter(pl.col("is_call") & pl.col("response_id").is_not_null())
    again = calls.filter(pl.col("response_id").is_duplicated())
    first = pl.col("$row").sort_by(_RANK).first().over("response_id")
    return again.select("$row", first.alias("$stays")).filter(pl.col("$row") != pl.col("$stays"))


def _same_request(spans: pl.DataFrame) -> pl.DataFrame:
    """Claude Code's span of a request that its log tells too, where neither has an id: those of the same counts."""
    counts = ["action_id", "input", "output", "cache_read", "cache_write"]
    calls = spans.filter(pl.col("is_call") & (pl.col("dialect") == "claude_code") & pl.col("response_id").is_null())
    calls = calls.drop_nulls(["action_id", "input", "output"])
    calls = calls.with_columns(pl.int_range(pl.len()).over(*counts, "signal").alias("$nth"))
    logs = calls.filter(pl.col("signal") == "log").select(*counts, "$nth", pl.col("$row").alias("$stays"))
    traced = calls.filter(pl.col("signal") == "span")
    return traced.join(logs, on=[*counts, "$nth"], nulls_equal=True).select("$row", "$stays")


def _inside_another(spans: pl.DataFrame) -> pl.DataFrame:
    around = _calls_around(spans)
    if around.null_count() == len(around):
        return pl.DataFrame(schema={"$row": pl.Int64, "$stays": pl.Int64})
    calls = spans.select("$row", "is_call", "has_usage", "scope", around=around).filter("is_call")
    calls = calls.filter(pl.col("around").is_not_null() | pl.col("$row").is_in(around.drop_nulls().implode()))
    # Claude's servers trace what the caller's span, which has more detail, tells already
    of_server = (calls["scope"] == _PLATFORM).fill_null(False) & calls["around"].is_not_null()
    servers, calls = calls.filter(of_server), calls.filter(~of_server)
    above = dict(zip(calls["$row"], calls["around"], strict=True))
    has_usage = dict(zip(calls["$row"], calls["has_usage"], strict=True))
    sums: set[int] = set()  # spans with a call inside that tells usage
    for row, parent in above.items():
        if has_usage[row]:
            while parent is not None and parent not in sums:
                sums.add(parent)
                parent = above.get(parent)
    silent = {parent for parent in above.values() if parent is not None and not has_usage.get(parent, True)}
    gone = {row: None for row in above if row in sums or row in silent}
    for row, parent in above.items():
        if parent is not None and not has_usage[row] and has_usage.get(parent) and parent not in sums:
            gone[row] = parent
    twins = {"$row": [*gone, *servers["$row"]], "$stays": [*gone.values(), *servers["around"]]}
    return pl.DataFrame(twins, schema={"$row": pl.Int64, "$stays": pl.Int64})


def _within_its_time(spans: pl.DataFrame) -> pl.DataFrame:
    by = ["provider", "$model", "input"]
    nanoseconds = [pl.col(name).cast(pl.Int64, strict=False) for name in ("startTimeUnixNano", "endTimeUnixNano")]
    calls = spans.filter(pl.col("is_call") & (pl.col("signal") == "span") & pl.col("input").is_not_null()).select(
        "$row", "scope", "traceId", "provider", "input", "response_id",
        pl.coalesce("model", "model_requested").alias("$model"),
        *(each.alias(name) for each, name in zip(nanoseconds, ("$start", "$end"), strict=True)),
    ).drop_nulls(["$start", "$end", "$model"])  # fmt: skip
    outer = calls.filter(pl.col("response_id").is_null()).sort("$start")
    inner = calls.filter(pl.col("response_id").is_not_null())
    inner = inner.with_columns(pl.col("$start").alias("$inner_start"), pl.col("$end").alias("$inner_end"))
    found = []
    for at, strategy in (("$start", "forward"), ("$end", "backward")):
        pairs = outer.sort(at).join_asof(
            inner.sort(at), on=at, by=by, strategy=strategy, suffix=" inner", check_sortedness=False
        )
        found.append(pairs.select("$row", "$start", "$end", "scope", "$inner_start", "$inner_end", r"^.* inner$"))
    pairs = pl.concat(found, how="diagonal")
    fits = (pl.col("$inner_start") >= pl.col("$start")) & (pl.col("$inner_end") <= pl.col("$end"))
    apart = pl.col("scope").ne_missing(pl.col("scope inner"))
    pairs = pairs.filter(fits & apart).unique("$row", keep="first", maintain_order=True)
    return pairs.select("$row", pl.col("$row inner").alias("$stays"))


def _parents(spans: pl.DataFrame) -> pl.Series:
    """The row of the span that each is directly inside; null where it is not in the frame, or spans go in a circle."""
    rows = spans.select("traceId", "spanId", "signal", parent=pl.int_range(pl.len()))
    rows = rows.filter((pl.col("signal") == "span") & pl.col("spanId").is_not_null())
    rows = rows.unique(["traceId", "spanId"], keep="first", maintain_order=True).drop("signal")
    # a log record is inside the span that it names as its own
    of = pl.when(pl.col("signal") == "log").then("spanId").otherwise("parentSpanId")
    asked = spans.select("traceId", of.alias("spanId"))
    parents = asked.join(rows, on=["traceId", "spanId"], how="left", maintain_order="left")["parent"]
    far = parents
    for _ in range(_DEEPEST):
        if far.null_count() == len(far):
            return parents
        far = far.gather(far)
    return pl.select(pl.when(far.is_null()).then(parents)).to_series()


def _nearest(told: pl.DataFrame, parents: pl.Series) -> pl.DataFrame:
    """What each row tells itself, else the nearest row around it that does."""
    for _ in range(_DEEPEST):
        if parents.null_count() == len(parents):
            break
        above = told.select(pl.all().gather(parents))
        told = told.select(pl.coalesce(pl.col(name), above[name]) for name in told.columns)
        parents = parents.gather(parents)
    return told


def _calls_around(spans: pl.DataFrame) -> pl.Series:
    """The nearest call of the same sort around each span, not beyond a tool; null: none."""
    parents = spans.select(pl.when(~pl.col("is_tool")).then(_parents(spans))).to_series()
    here = spans.select(
        pl.when(pl.col("is_call") & (pl.col("is_embedding") == sort)).then("$row").alias(str(sort))
        for sort in (False, True)
    )
    above = _nearest(here, parents).select(pl.all().gather(parents))
    return pl.select(pl.when(spans["is_embedding"]).then(above["True"]).otherwise(above["False"])).to_series()
