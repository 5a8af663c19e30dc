"""tokenspread.toml and a log that only it describes: the tables are refused in one line that says why, or the log is
read as any other is.

An input is one JSON object: the tables, and under `lines` the records of the log.
"""

import json
from random import Random

from fuzz import logs, mutations, toml
from fuzz.mutations import SECRET, Digits, Pairs
from pipelines import night_rules, what_if
from pipelines.errors import UserError
from pipelines.settings import Settings
from transforms.shapes.mapping import COLUMNS

LINES = [
    {"id": "r-1", "kind": "run", "at": "2026-11-01T10:00:00Z", "day": "01.11.2026 10:00", "cost": 12, "took": 1500},
    {"id": "r-2", "kind": "run", "use": {"in": 10, "out": "5"}, "at": 1790000000, "tags": ["feature:chat", "x"]},
    {"id": "r-3", "kind": "try", "models": {"xai/grok-4": {"in": 7, "out": 1, "w": 3}, "m": {"in": "x"}}, "used": "m"},
    {"id": "r-4", "kind": "run", "models": [{"in": 1}, {"in": 2, "out": None}], "text": '{"in": 3}', "done": True},
]
FIELDS = {"response_id": "id", "called_at": "at", "input_tokens": "use.in", "output_tokens": ["use.out", "text>out"]}
OPENED = {
    "model": "$key",
    "input_tokens": ".in",
    "output_tokens": ".out",
    "cache_write_tokens": ".w",
    "action_id": "id",
}
DATED = {
    "called_at": {"path": "day", "format": "%d.%m.%Y %H:%M"},
    "recorded_cost_usd": {"path": "cost", "unit": "cents"},
    "latency_seconds": {"path": "took", "unit": "ms"},
    "provider": {"const": "anthropic"},
    "status": {"path": "kind", "equals": ["run"]},
    "cache_write_1h_tokens": {"path": "use.in", "of_key": "used"},
}
RULES = {
    "feature": {"tags": "tags", "prefix": "feature:"},
    "customer_id": ["use.customer", "id"],
    "environment": {"const": "test"},
    "is_success": {"path": "done", "equals": [True]},
    "runs": {"user_id": "text~user"},
}
DOCUMENTS = [
    {"log": {"runs": {"match": {"id": "*"}, "fields": FIELDS}}, "attribution": RULES, "lines": LINES},
    {
        "log": {"runs": {"match": {"kind": ["run", "try"]}, "open": "models", "fields": OPENED}},
        "lines": LINES,
    },
    {
        "log": {
            "runs": {
                "match": {"id": "*"},
                "calls_where": {"kind": "run"},
                "open": "models",
                "null_values": ["x", 12],
                "provider_from_model_prefix": True,
                "input_includes_cache": False,
                "output_includes_reasoning": False,
                "fields": {**OPENED, **DATED},
            }
        },
        "aliases": {"m": "gpt-5-mini"},
        "scenarios": {"bad": {"reason": "x", "changes": [{"change": "+20%", "provider": "openai"}]}},
        "economics": {"target_margin": "30%"},
        "gate": {},
        "lines": LINES,
    },
]
UNITS = ("unix_s", "unix_ms", "unix_us", "unix_ns", "iso", "dotnet_ticks", "s", "ms", "us", "ns", "usd", "micro_usd")
FORMATS = (
    "%d.%m.%Y %H:%M",
    "%Y",
    "%s",
    "%+",
    "%Q",
    "%",
    "%%",
    "%-d",
    "%3f",
    "%.f",
    "%z",
    "%Z",
    "%:z",
    "%H",
    "%Y%j",
    "",
)
PATHS = (
    *(
        "use",
        "use.in",
        "use.In",
        "USE.in",
        "use>in",
        "text>in",
        "text~in",
        "text>in>x",
        "models.m.in",
        ".in",
        ".",
        "$key",
    ),
    *(
        "$",
        "a..b",
        ".a.b",
        'a."b.c"',
        '"',
        '""',
        "a.",
        ">a",
        "~",
        "a b",
        "'",
        "a'b",
        "\0",
        "é",
        "content_id",
        "line_number",
    ),
    *(
        "@x",
        "part",
        "$part",
        "fault",
        "verdict",
        "shape",
        "line",
        "id",
        "Id",
        "a" * 300,
        ".".join("a" * 150),
        "text>in.x",
    ),
)
WORDS = (
    *UNITS,
    *FORMATS,
    *PATHS,
    *COLUMNS,
    "path",
    "const",
    "tags",
    "prefix",
    "equals",
    "of_key",
    "unit",
    "format",
    "*",
)


def seeds() -> list[bytes]:
    return [json.dumps(document).encode() for document in DOCUMENTS]


def mutate(data: bytes, random: Random) -> bytes:
    if random.random() < 0.4:
        return mutations.mutate(data, random)
    try:
        value = [mutations.parsed(data)]
    except (ValueError, RecursionError):
        return mutations.mutate(data, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        holder, index = random.choice(mutations.places(value))
        word = random.choice(WORDS)
        if isinstance(holder[index], Pairs) and random.random() < 0.7:
            inner = random.choice(
                (word, Pairs([["path", word]]), [word, random.choice(WORDS)], Digits("true"), Pairs())
            )
            holder[index].append([random.choice(WORDS), inner])
        elif index == 1 and random.random() < 0.3:
            holder[0] = word  # the key of a pair
        else:
            holder[index] = word
    return mutations.written(value[0]).encode(errors="replace")


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever the product raises that it should not."""
    try:
        document = mutations.parsed(data)
    except (ValueError, RecursionError):
        document = None
    lines, tables = LINES, document
    if isinstance(document, Pairs):
        told = [value for key, value in document if key == "lines" and isinstance(value, list)]
        lines = told[0] if told else LINES
        tables = Pairs([key, value] for key, value in document if key != "lines")
    try:
        text = data if document is None else toml.document(tables).encode(errors="replace")
    except RecursionError:  # nested deeper than it is written; Python's parser of TOML goes less deep
        return
    check_tables(text.replace(SECRET.encode(), b"secret"), lines)


def check_tables(text: bytes, lines: list) -> None:
    config, log = (logs.room()[0] / name for name in ("tokenspread.toml", "log"))
    config.write_bytes(text)
    log.write_text("".join(mutations.written(line) + "\n" for line in lines), encoding="utf-8", errors="replace")
    try:
        settings = Settings.load(config=config)
        night_rules.rules(settings), night_rules.alerts(settings)
        what_if.chosen(settings)
    except UserError as error:
        logs.check_message(str(error))
        return
    fast, exact = (logs.told(log, settings, by_line) for by_line in (False, True))
    for one in (fast, exact):
        logs.check_told(one)
        if one.refusal is not None:
            logs.check_message(one.refusal)
    assert fast.refusal == exact.refusal
    logs.check_same(fast.rows, exact.rows)
