"""What was taken out of a data folder, and what of it is left to do."""

from typing import TextIO

from pipelines.report.text import count, counted, harmless, money
from pipelines.retention import Forgotten, Pruned

MOST_PLACES = 100


def write_pruned(pruned: Pruned, is_dry_run: bool, stream: TextIO) -> None:
    """What went, or would go, and what stays although it is old."""
    for line in _pruned(pruned, is_dry_run):
        print(line, file=stream)


def _pruned(pruned: Pruned, is_dry_run: bool) -> list[str]:
    plan = pruned.plan
    verb = "would remove" if is_dry_run else "removed"
    lines = []
    if plan.gone:
        days = f"{counted(len(plan.days), 'day')} ({plan.days[0]} to {plan.days[-1]})"
        calls, outcomes = counted(plan.call_count, "call"), counted(plan.outcome_count, "outcome")
        lines.append(f"{verb} {calls} of {days}, {outcomes}")
    counts = ((len(plan.reports), "report"), (plan.run_count, "run"), (plan.night_count, "night"))
    if told := ", ".join(counted(number, noun) for number, noun in counts if number):
        lines.append(f"{verb} {told} of days before {plan.before}")
    if plan.kept_line_count:
        lines.append(f"{verb} what {counted(plan.kept_line_count, 'quarantined line')} kept before {plan.before} said")
    if not lines:
        lines.append(f"nothing to prune: no call is of a day before {plan.before}")
    if plan.gone or pruned.byte_count:
        files = len(plan.gone) + len(plan.outcome_paths)
        lines.append(
            f"{'would free' if is_dry_run else 'freed'} {counted(pruned.byte_count, 'byte')}; ledger files: {files:,}"
        )
    if plan.untimed_count:
        lines.append(f"kept {counted(plan.untimed_count, 'call')} without a time, which are of no day")
    return lines


def write_forgotten(done: Forgotten, stream: TextIO) -> None:
    """What named the person, where the name was looked for, and what is the user's own to do."""
    for line in [*_found(done), *_proof(done), *_left(done)]:
        print(line, file=stream)


def _found(done: Forgotten) -> list[str]:
    found = done.found
    lines = [f"{counted(found.call_count, 'call')} of the user: kept, without the name"]
    if found.ids:
        outcomes = counted(found.outcome_count, "outcome")
        lines.append(f"{counted(len(found.ids), 'id')} with the name, of {outcomes} too: replaced by random ones")
    if found.revenue_row_count or found.earlier_row_count:
        rows, earlier = counted(found.revenue_row_count, "row"), count(found.earlier_row_count)
        lines.append(
            f"{rows} of revenue of the user, {money(found.revenue_usd)} USD: removed; {earlier} of revenue given before"
        )
    others = (
        (len(found.reports), "report", "removed"),
        (found.kept_line_count, "kept quarantined line", "removed"),
        (len(found.alert_ids), "alert", "removed"),
        (len(found.night_ids), "failed night", "its reason blanked"),
        (len(found.paths), "log's path", "changed; rename the file, or the next ingest keeps it again"),
    )
    lines += [f"{counted(number, noun)} with the name: {fate}" for number, noun, fate in others if number]
    return lines


def _proof(done: Forgotten) -> list[str]:
    if done.proof is None:
        return ["nothing was changed (--dry-run)"]
    places = done.proof.places
    lines = [f"searched {place}" for place in done.proof.searched]
    lines.append(f"{counted(len(places), 'place')} left" + (":" if places else ""))
    lines += [f"  {harmless(place)}" for place in places[:MOST_PLACES]]
    if len(places) > MOST_PLACES:
        lines.append(f"  and {len(places) - MOST_PLACES:,} more")
    return lines


def _left(done: Forgotten) -> list[str]:
    """The sources, which no command of ours changes."""
    lines = [f"tokenspread.toml still names them in {table}" for table in done.told_by]
    if done.logs:
        lines.append(
            "These logs are yours to delete; read into a new data folder they bring the name back, and here as far as "
            "ids or paths hold it:"
        )
        lines += [f"  {harmless(str(path))}" for path in done.logs]
    return lines
