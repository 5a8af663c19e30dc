"""Ingest of a generated 1 GB log to a committed, de-duplicated, attributed ledger, against DuckDB's bare typed scan.

    python -m benchmarks.bench_ingest [MEGABYTES]

The bare scan reads the fields that our shape declares, with types, and aggregates each so that none is skipped: the
least that any use of the log costs. Each side runs in processes of its own, in turns; CPU seconds are those of the
process, without the imports. Long message bodies are what chat logs have; short ones are the worst case per byte.
"""

import json
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROUNDS, TARGET_RATIO, TARGET_BYTES = 3, 2.5, 1 << 30
BODY_WORDS = {"long": 1000, "short": 4}
WORDS = ["order", "parcel", "refund", "label", "invoice", "carrier", "return", "receipt", "address", "voucher"]


def chat_line(pick: random.Random, number: int, body: str) -> str:
    """A request/response pair as the OpenAI SDK's transport would log it; 50 calls a second, three calls an action."""
    second = 1_790_000_000 + number // 50
    usage = {
        "prompt_tokens": 1000 + number % 100,
        "completion_tokens": 200 + number % 17,
        "total_tokens": 1200 + number % 100 + number % 17,
        "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
    }
    return json.dumps(
        {
            "time": datetime.fromtimestamp(second, UTC).isoformat(),
            "latency_ms": 1234.5,
            "status_code": 200,
            "request": {
                "model": "gpt-5-mini",
                "messages": [{"role": "user", "content": body}],
                "user": f"user-{number % 997}",
                "metadata": {
                    "feature": ("triage", "summary", "reply")[number % 3],
                    "action_id": f"action-{number // 3}",
                    "customer_id": f"customer-{number % 40}",
                },
            },
            "response": {
                "id": f"chatcmpl-{number:09d}{pick.getrandbits(64):016x}",
                "object": "chat.completion",
                "created": second,
                "model": "gpt-5-mini-2025-08-07",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": body[: len(body) // 2]}}],
                "usage": usage,
                "service_tier": "default",
            },
        }
    )


def write_log(path: Path, byte_count: int, words: int) -> int:
    pick, written, number = random.Random(1), 0, 0
    with path.open("w") as file:
        while written < byte_count:
            body = " ".join(pick.choices(WORDS, k=words))
            written += file.write(chat_line(pick, number, body) + "\n")
            number += 1
    return number


def bare_scan(path: Path) -> None:
    import duckdb

    from pipelines import records
    from transforms.shapes.formats.openai_chat import OPENAI_CHAT

    columns, inner, selected = records.duckdb_columns({path: path for path in OPENAI_CHAT.fields})
    typed = re.sub(r'("(?:[a-z_]*tokens|created|status_code)") VARCHAR', r"\1 BIGINT", columns)
    each = ", ".join(f"max({field.rsplit(' as ', 1)[0]})" for field in selected.split(", "))
    start = time.process_time()
    source = f"read_json('{path}', format = 'newline_delimited', columns = {typed})"
    duckdb.connect().execute(f"select count(*), {each} from (select {inner} from {source} as line) as line").fetchall()
    _tell(start)


def ingest(path: Path) -> None:
    from pipelines import stages
    from pipelines.settings import Settings

    data = path.with_suffix(".data")
    shutil.rmtree(data, ignore_errors=True)
    start = time.process_time()
    summary = stages.ingest(Settings.load(logs=[str(path)], data=data))
    _tell(start, summary.call_count)
    shutil.rmtree(data)


def _tell(start: float, calls: int = 0) -> None:
    cpu, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"cpu": cpu, "peak": peak * 1024, "calls": calls}))


def measured(what: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_ingest", what, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def compare(name: str, folder: Path, megabytes: int) -> bool:
    path = folder / f"{name}.jsonl"
    lines = write_log(path, megabytes * 10**6, BODY_WORDS[name])
    measured("bare_scan", path)  # warms the page cache for both
    rounds = [(measured("bare_scan", path), measured("ingest", path)) for _ in range(ROUNDS)]
    path.unlink()
    ratio = statistics.median(ours["cpu"] / bare["cpu"] for bare, ours in rounds)
    bare = statistics.median(bare["cpu"] for bare, _ in rounds)
    cpu = statistics.median(ours["cpu"] for _, ours in rounds)
    peak = max(ours["peak"] for _, ours in rounds)
    assert all(ours["calls"] == lines for _, ours in rounds), "calls were lost"
    print(
        f"{name} bodies: {megabytes:,} MB, {lines:,} calls; bare scan {bare:.2f} s CPU, ingest {cpu:.2f} s CPU, "
        f"ratio {ratio:.2f} (at most {TARGET_RATIO}); {lines / cpu:,.0f} calls per CPU second; "
        f"peak memory {peak / 1e6:,.0f} MB"
    )
    return ratio <= TARGET_RATIO and peak < TARGET_BYTES


def main() -> None:
    if len(sys.argv) == 3:
        {"bare_scan": bare_scan, "ingest": ingest}[sys.argv[1]](Path(sys.argv[2]))
        return
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as folder:
        met = [compare(name, Path(folder), megabytes) for name in BODY_WORDS]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
