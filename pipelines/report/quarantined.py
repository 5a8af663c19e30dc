"""`tokenspread quarantine` as text and as JSON. What a line says is shown only where it was asked for."""

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from pipelines.quarantine import Group, Retried, Shown
from pipelines.report import output
from pipelines.report.output import Report
from pipelines.report.text import count, counted, harmless
from pipelines.retrying import Result

MOST_FIELDS, MOST_NAMED = 40, 20
_NAME = re.compile(r'[\w@$.:/"-]{1,120}')  # another key may be a text of its own


def write_list(groups: list[Group], form: str, stream: TextIO, data: Path | None = None) -> None:
    """As one of output.FORMATS; in CSV a row for each file and reason."""
    told = [asdict(group) for group in groups]
    first = f"tokenspread quarantine show {output.quoted(groups[0].path)}" if groups else None
    output.write(Report(told, _listed(groups), lambda: told, next_command=first), form, stream, data)


def _listed(groups: list[Group]) -> list[str]:
    lines = [] if groups else ["no line is quarantined"]
    for path in dict.fromkeys(group.path for group in groups):
        of_path = [group for group in groups if group.path == path]
        where = "in place" if of_path[0].is_log_there else "not there any more"
        lines += [f"{harmless(path)} ({where})", *(f"  {_group(group)}" for group in of_path)]
    return lines


def _group(group: Group) -> str:
    first = ", ".join(f"{number:,}" for number in group.first_lines)
    more = ", ..." if len(group.first_lines) < group.line_count else ""
    records = f" ({counted(group.record_count, 'record')})" if group.record_count else ""
    kept = f"; content of {group.kept_line_count:,} kept" if group.kept_line_count else ""
    lines = "line" if group.line_count == 1 else "lines"
    told = f"{counted(group.line_count, 'line')}{records}: {harmless(group.reason)}"
    return f"{told} ({lines} {first}{more}{kept})"


def write_lines(shown: list[Shown], line_count: int, as_json: bool, stream: TextIO) -> None:
    """`line_count`: of all that could be shown."""
    if as_json:
        lines = [asdict(line) | {"fields": _fields(line.fields)} for line in shown]
        stream.write(json.dumps({"line_count": line_count, "lines": lines}, indent=2) + "\n")
        return
    for line in shown:
        part = "" if line.part is None else f", record {line.part + 1}"
        stream.write(f"line {line.line_number:,}{part}: {harmless(line.reason)}\n")
        stream.write(f"  {_told(line)}\n")
        if line.content is not None:
            stream.write(f"  {harmless(line.content)}\n")
    if line_count > len(shown):
        stream.write(f"and {line_count - len(shown):,} more; --limit shows them\n")


def _told(line: Shown) -> str:
    if line.source is None:
        return "its content is neither in a log nor kept"
    where = "" if line.source == "log" else " (kept)"
    if line.fields is None:
        return f"no object{where}"
    names = _fields(line.fields) or []
    more = f" and {len(names) - MOST_FIELDS:,} more" if len(names) > MOST_FIELDS else ""
    return f"fields{where}: {', '.join(names[:MOST_FIELDS])}{more}"


def _fields(paths: list[str] | None) -> list[str] | None:
    return paths and [path if _NAME.fullmatch(path) else "..." for path in paths]


def write_retried(retried: Retried, stream: TextIO) -> None:
    results = retried.results
    came_in, left = sum(result.came_in_count for result in results), sum(map(_left, results))
    files = sum(result.came_in_count > 0 for result in results)
    stream.write(
        f"{counted(came_in, 'quarantined line')} of {counted(files, 'file')} came in: "
        f"{counted(retried.call_count, 'new call')} (ledger version {retried.version}); {count(left)} left\n"
    )
    for (path, reason), number in _reasons(results).most_common(MOST_NAMED):
        stream.write(f"  {harmless(path)}: {counted(number, 'line')}: {harmless(reason)}\n")
    troubled = [result for result in results if result.trouble]
    if troubled:
        stream.write(f"{counted(len(troubled), 'file')} COULD NOT BE READ AGAIN:\n")
    for result in troubled[:MOST_NAMED]:
        unread = counted(result.quarantined.numbers.len() - result.read.len(), "line")
        stream.write(f"  {harmless(result.quarantined.content['path'])}: {unread}: {result.trouble}\n")
    if len(troubled) > MOST_NAMED:
        stream.write(f"  and {len(troubled) - MOST_NAMED:,} more\n")
    if retried.is_new:
        stream.write("tokenspread build publishes that\n")


def _left(result: Result) -> int:
    return result.quarantined.content["quarantined_line_count"] - result.came_in_count


def _reasons(results: list[Result]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for result in results:
        path = result.quarantined.content["path"]
        for reason, number in result.quarantine.group_by("reason").n_unique().select("reason", "line_number").rows():
            counts[path, reason] += number
    return counts
