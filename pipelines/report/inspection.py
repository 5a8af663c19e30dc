"""What a log file is and would yield, on the terminal."""

from collections import Counter
from typing import TextIO

from pipelines.report import query
from pipelines.report.text import harmless
from pipelines.summaries import Inspection

SHOWN = ("line_number", "called_at", "provider", "model", "status", "input_tokens", "cache_read_tokens",
         "output_tokens", "feature", "user_id", "customer_id", "action_id")  # fmt: skip


def write(inspection: Inspection, stream: TextIO) -> None:
    print(f"{harmless(str(inspection.path))}: {harmless(inspection.look.seen)}", file=stream)
    if inspection.shape is None:
        _write_unknown(inspection, stream)
        return
    print(f"shape {inspection.shape}; of its first {inspection.calls.height} records:", file=stream)
    verdicts = Counter(inspection.calls["verdict"].to_list())
    for verdict, count in verdicts.most_common():
        what = "calls" if verdict is None else "other lines" if verdict == "other" else f"quarantined: {verdict}"
        print(f"  {count} {what}", file=stream)
    query.write(inspection.calls.filter(inspection.calls["verdict"].is_null()).select(SHOWN), "table", stream)


def _write_unknown(inspection: Inspection, stream: TextIO) -> None:
    print(f"no shape fits; known are {', '.join(inspection.known_shapes)}", file=stream)
    fields = Counter(path for record in inspection.look.records for path in _paths(record))
    if fields:
        print(f"fields in its first {len(inspection.look.records)} records, to map in tokenspread.toml:", file=stream)
    for path, count in sorted(fields.items()):
        print(f"  {harmless(path)}  ({count})", file=stream)


def _paths(record: dict, prefix: str = "") -> list[str]:
    """Names of fields, never what they hold."""
    found = []
    for key, value in record.items():
        path = prefix + (f'"{key}"' if "." in key or ">" in key else key)
        found += _paths(value, path + ".") if isinstance(value, dict) and value else [path]
    return found
