"""What a log file is and would yield, on the terminal."""

from collections import Counter
from typing import TextIO

from pipelines import records, sniff
from pipelines.report import query
from pipelines.report.text import counted, harmless
from pipelines.summaries import Inspection

MOST_CALLS = 20
MOST_FIELDS = 40

SHOWN = ("line_number", "called_at", "provider", "model", "status", "input_tokens", "cache_read_tokens",
         "output_tokens", "feature", "user_id", "customer_id", "action_id")  # fmt: skip


def write(inspection: Inspection, stream: TextIO) -> None:
    print(f"{harmless(str(inspection.path))}: {harmless(inspection.look.seen)}", file=stream)
    if inspection.look.layout == "lines":
        _write_other_lines(inspection, stream)
    if inspection.shape is None:
        _write_unknown(inspection, stream)
    else:
        print(f"shape {inspection.shape}" + (": its records have" if inspection.signs else ""), file=stream)
        for sign in inspection.signs:
            print(f"  {sign}", file=stream)
    if inspection.calls.height:
        _write_calls(inspection, stream)


def _write_calls(inspection: Inspection, stream: TextIO) -> None:
    print(f"of its first {counted(inspection.calls.height, 'record')}:", file=stream)
    verdicts = Counter(inspection.calls["verdict"].to_list())
    for verdict, count in verdicts.most_common():
        what = "calls" if verdict is None else "other lines" if verdict == "other" else f"quarantined: {verdict}"
        print(f"  {count} {what}", file=stream)
    calls = inspection.calls.filter(inspection.calls["verdict"].is_null()).select(SHOWN)
    query.write(calls.head(MOST_CALLS), "table", stream)
    if calls.height > MOST_CALLS:
        print(f"and {counted(calls.height - MOST_CALLS, 'more call')}", file=stream)


def _write_unknown(inspection: Inspection, stream: TextIO) -> None:
    print("no shape fits (`tokenspread shapes` lists them)", file=stream)
    fields = Counter(path for record in inspection.look.records for path in records.paths_of(record))
    if fields:
        print(
            f"fields in its first {counted(len(inspection.look.records), 'record')}, to map in tokenspread.toml:",
            file=stream,
        )
    elif any(inspection.look.records):
        print("no path can name a key of its records: each has a NUL or half a surrogate pair", file=stream)
        return
    shown = {path for path, _ in fields.most_common(MOST_FIELDS)}  # keys that are ids would make a list of thousands
    for path in sorted(shown):
        print(f"  {harmless(path)}  ({fields[path]})", file=stream)
    if rest := len(fields) - len(shown):
        print(f"  and {counted(rest, 'rarer field')}", file=stream)
    if inspection.mapping:
        print("a guess at what they mean, for tokenspread.toml; read it, mend it, then run:", file=stream)
        print("", *map(harmless, inspection.mapping.splitlines()), "", sep="\n", file=stream)
    else:
        print(
            "none of them looks like tokens of a model's input; map them by hand (docs/logs.md, 'Any other log')",
            file=stream,
        )


def _write_other_lines(inspection: Inspection, stream: TextIO) -> None:
    """Says how many of the lines that were looked at hold no JSON object."""
    lines = inspection.look.head.split(b"\n")
    lines = [line for line in (lines[:-1] or lines) if line.strip()][: sniff.RECORDS]
    others = sum(not isinstance(records.parse(line), dict) for line in lines)
    if others:
        print(f"of its first {counted(len(lines), 'line')}, {others:,} hold no JSON object", file=stream)
