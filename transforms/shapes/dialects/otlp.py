"""OTLP JSON, as the OpenTelemetry Collector and SDKs write it to files: one row for each span or log record.

A line is one export request: `{"resourceSpans": [{"resource": ..., "scopeSpans": [{"scope": ..., "spans": [...]}]}]}`,
or the same of `resourceLogs`, `scopeLogs`, `logRecords`. Of `resourceMetrics` it is only seen that they are there.
An attribute is `{"key": ..., "value": {"intValue": "5"}}`; 64-bit integers and instants (nanoseconds) are texts, some
writers' are numbers: all become text here. Of the attributes only the wanted ones become columns: prompts and answers
make up most of a trace.

polars decodes whole columns; a line that it refuses takes the way of `paths.loads`, and where that finds something else
than spans or records too, the line is unreadable. Source: OTLP specification, JSON Protobuf encoding.
"""

from collections.abc import Mapping

import polars as pl

from transforms.shapes.decoding import decoded
from transforms.shapes.paths import steps

_METRICS = "resourceMetrics"
FIELDS = ("resourceSpans", "resourceLogs", _METRICS)
OWN = (  # columns of every row, beside those that are asked for
    "signal", "scope", "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
    "status",
)  # fmt: skip
_VALUE = pl.Struct(dict.fromkeys(("stringValue", "intValue", "doubleValue", "boolValue"), pl.String))
_ATTRIBUTES = pl.List(pl.Struct({"key": pl.String, "value": _VALUE}))
_SPAN = pl.Struct(
    {
        **dict.fromkeys(OWN[2:9], pl.String),
        "status": pl.Struct({"code": pl.String}),
        "attributes": _ATTRIBUTES,
    }
)
_LOG = pl.Struct(
    {
        **dict.fromkeys(("traceId", "spanId", "timeUnixNano", "observedTimeUnixNano", "eventName"), pl.String),
        "body": pl.Struct({"stringValue": pl.String}),
        "attributes": _ATTRIBUTES,
    }
)


def _envelope(scopes: str, records: str, record: pl.DataType) -> pl.DataType:
    scope = pl.Struct({"scope": pl.Struct({"name": pl.String}), records: pl.List(record)})
    return pl.List(pl.Struct({"resource": pl.Struct({"attributes": _ATTRIBUTES}), scopes: pl.List(scope)}))


def _time(*paths: str) -> pl.Expr:
    return pl.coalesce(pl.when(pl.col(path) != "0").then(pl.col(path)) for path in paths)


# signal -> (field, key of the scopes, key of the records, type, columns that are not there by their own name)
_SIGNALS: dict[str, tuple[str, str, str, pl.DataType, dict[str, pl.Expr]]] = {
    "span": ("resourceSpans", "scopeSpans", "spans", _SPAN, {"status": pl.col("status").struct.field("code")}),
    "log": (
        "resourceLogs",
        "scopeLogs",
        "logRecords",
        _LOG,
        {
            "name": pl.coalesce("eventName", pl.col("body").struct.field("stringValue")),
            "startTimeUnixNano": _time("timeUnixNano", "observedTimeUnixNano"),
        },
    ),
}


def opened(
    lines: pl.DataFrame, keys: Mapping[str, tuple[str, ...]], shared: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """One row for each record of `lines`, in order, with OWN, a column for each of `keys`, which is the first of its
    attributes that has a value, and "resource:<name>" for each of `shared`, which is the same of the resource.

    A line without a record stays one row, without a `signal`; `is_unreadable` is true for one that is no OTLP,
    `is_metrics` for one of metrics, `is_strange` for one of neither.
    """
    numbered = lines.with_row_index("$line")
    found, bad = [], []
    for number, (signal, (field, scopes, records, record, columns)) in enumerate(_SIGNALS.items()):
        values, refused = decoded(numbered[field], _envelope(scopes, records, record))
        bad += numbered["$line"].filter(refused).to_list()
        rows = _records(pl.DataFrame({"$line": numbered["$line"], "value": values}), scopes, records)
        rows = rows.with_columns(pl.lit(signal).alias("signal"), pl.lit(number).alias("$signal"), **columns)
        found.append(_with_attributes(rows, keys, shared))
    opened = pl.concat(found)
    none = numbered.filter(~pl.col("$line").is_in(opened["$line"].implode())).select("$line")
    opened = pl.concat([opened, none], how="diagonal").sort("$line", "$signal", "$record", maintain_order=True)
    is_empty = pl.all_horizontal(pl.col(field).is_null() for field in FIELDS)
    lines = lines.with_columns(is_metrics=pl.col(_METRICS).is_not_null(), is_strange=is_empty)
    around = lines.drop(FIELDS, strict=False)[opened["$line"]]
    return pl.concat(
        [
            around,
            opened.select(
                pl.int_range(pl.len(), dtype=pl.Int32).over("$line").alias("part"),
                pl.col("$line").is_in(bad).alias("is_unreadable"),
                *OWN,
                *keys,
                *(f"resource:{name}" for name in shared),
            ),
        ],
        how="horizontal",
    )


def key_of(path: str) -> str:
    """The attribute that a path of the user's rules names: `team.name` and `"team.name"` are the same."""
    return ".".join(key for _, key in steps(path))


def _records(rows: pl.DataFrame, scopes: str, records: str) -> pl.DataFrame:
    def each(rows: pl.DataFrame, column: str) -> pl.DataFrame:
        return rows.filter(pl.col(column).list.len() > 0).explode(column)

    value = pl.col("value").struct
    rows = each(rows, "value").select(
        "$line", value.field("resource").struct.field("attributes").alias("resource"), value.field(scopes)
    )
    rows = each(rows, scopes)
    scope = pl.col(scopes).struct
    rows = rows.select(
        "$line", "resource", scope.field("scope").struct.field("name").alias("scope"), scope.field(records)
    )
    rows = each(rows.with_row_index("$scope"), records).unnest(records)
    return rows.with_row_index("$record")


def _with_attributes(
    rows: pl.DataFrame, keys: Mapping[str, tuple[str, ...]], shared: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    told = _told(rows, "$record", "attributes", keys)
    resources = rows.select("$scope", "resource").unique("$scope", keep="first")
    rows = rows.select("$line", "$signal", "$record", "$scope", *(name for name in OWN if name in rows.columns))
    rows = rows.join(told, on="$record", how="left", maintain_order="left")
    of_resource = {f"resource:{name}": paths for name, paths in shared.items()}
    rows = rows.join(
        _told(resources, "$scope", "resource", of_resource), on="$scope", how="left", maintain_order="left"
    )
    ours = ("$line", "$signal", "$record", *OWN, *keys, *of_resource)
    return rows.select(pl.col(name) if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in ours)


def _told(rows: pl.DataFrame, index: str, attributes: str, keys: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """`index` and a column for each of `keys` that any row tells."""
    wanted = sorted({key for alternatives in keys.values() for key in alternatives})
    value = pl.col(attributes).struct.field("value").struct
    pairs = (
        rows.select(index, attributes)
        .explode(attributes)
        .with_columns(key=pl.col(attributes).struct.field("key"))
        .filter(pl.col("key").is_in(wanted))
        .select(index, "key", text=pl.coalesce(value.field(field.name) for field in _VALUE.fields))
        .filter(pl.col("text") != "")
    )
    told = pairs.pivot(on="key", index=index, values="text", aggregate_function="first")
    present = {name: [key for key in paths if key in told.columns] for name, paths in keys.items()}
    return told.select(index, *(pl.coalesce(some).alias(name) for name, some in present.items() if some))
