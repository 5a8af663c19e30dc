"""Generated Claude Code logs of known truth, read by tokenspread and by the two tools that most people use for them.

    python -m benchmarks.bench_peers [MEGABYTES]

The logs have what makes these logs hard: several lines for one response with growing usage, resumed sessions that begin
with another's lines, subagents, long tool results, caches of 5 minutes and of an hour. What each tool says of calls and
tokens is held against the truth; then the CPU seconds of its whole process tree are compared, in turns. The peers
report and forget, tokenspread keeps a ledger. They come from npm into a cache folder, once, and are given prices, so
that neither asks the network. Without npm, or with TOKENSPREAD_PEERS=none, only tokenspread is checked and timed.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROUNDS = 3
PEERS = {"ccusage": "20.0.24", "tokscale": "1.4.3", "bun": "1.4.5"}  # tokscale is run by bun
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tokenspread-bench-peers"
ROOT = Path(__file__).resolve().parents[1]
MODELS = ("claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")
PRICES = {
    "input_cost_per_token": 3e-6,
    "output_cost_per_token": 15e-6,
    "cache_read_input_token_cost": 3e-7,
    "cache_creation_input_token_cost": 3.75e-6,
}
WORDS = ["order", "parcel", "refund", "label", "invoice", "carrier", "return", "receipt", "address", "voucher"]
CALLS_PER_SESSION, RESUMED_LINES = 60, 40
CLASSES = ("calls", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h")

Totals = dict[str, int]


@dataclass
class Session:
    """A session's lines, as they are written."""

    pick: random.Random
    texts: list[str]
    truth: Counter[str]
    name: str
    cwd: str
    start: int
    is_sidechain: bool = False
    lines: list[str] = field(default_factory=list)

    def add(self, kind: str, message: dict[str, Any], second: int, **more: Any) -> None:
        at = datetime.fromtimestamp(self.start + second, UTC).isoformat(timespec="milliseconds")
        record = {
            "parentUuid": f"{self.name}-{len(self.lines) - 1}" if self.lines else None,
            "isSidechain": self.is_sidechain,
            "userType": "external",
            "cwd": self.cwd,
            "sessionId": self.name,
            "version": "2.1.81",
            "gitBranch": "main",
            "message": message,
            "type": kind,
            "uuid": f"{self.name}-{len(self.lines)}",
            "timestamp": at.replace("+00:00", "Z"),
            **more,
        }
        self.lines.append(json.dumps(record, separators=(",", ":")) + "\n")

    def respond(self, second: int) -> None:
        """One response: a line for each block of its content, its output growing to the whole in the last."""
        pick = self.pick
        number = f"{pick.getrandbits(96):024x}"
        short, long = (pick.randrange(4000), 0) if pick.random() < 0.6 else (0, pick.randrange(9000))
        usage = {
            "input_tokens": pick.randrange(1, 40),
            "cache_creation_input_tokens": short + long,
            "cache_read_input_tokens": pick.randrange(90_000),
            "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
            "service_tier": "standard",
        }
        output, blocks = pick.randrange(20, 1500), pick.choice((1, 2, 2, 3, 4))
        for block in range(1, blocks + 1):
            told = {**usage, "output_tokens": output if block == blocks else pick.randrange(1, 9)}
            content = [{"type": "text", "text": pick.choice(self.texts)[:300]}]
            message = {
                "model": MODELS[int(number, 16) % 5 == 0],
                "id": f"msg_01{number}",
                "type": "message",
                "role": "assistant",
                "content": content,
                "stop_reason": None,
                "usage": told,
            }
            self.add("assistant", message, second, requestId=f"req_011{number}")
        self.truth.update(
            calls=1,
            input=usage["input_tokens"],
            output=output,
            cache_read=usage["cache_read_input_tokens"],
            cache_write_5m=short,
            cache_write_1h=long,
        )

    def run(self, calls: int) -> None:
        self.add("user", {"role": "user", "content": "Mend the refund button."}, 0)
        for call in range(calls):
            self.respond(5 + 20 * call)
            result = {"type": "tool_result", "tool_use_id": f"toolu_{call}", "content": self.pick.choice(self.texts)}
            self.add("user", {"role": "user", "content": [result]}, 15 + 20 * call)


def write_logs(home: Path, byte_count: int) -> tuple[Totals, int]:
    """Fills `home` as Claude Code does, to `byte_count` or a session more; (the truth, bytes)."""
    pick, truth = random.Random(1), Counter({name: 0 for name in CLASSES})
    texts = [" ".join(pick.choices(WORDS, k=pick.randrange(20, 3000))) for _ in range(200)]
    written = 0
    for number, (path, lines) in enumerate(_sessions(pick, texts, truth)):
        target = home / ".claude" / "projects" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        written += target.write_text("".join(lines))
        if written >= byte_count and number % 2:  # with the subagent of the last session
            return dict(truth), written
    raise AssertionError("there is no last session")


def _sessions(pick: random.Random, texts: list[str], truth: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    """(where it lies, its lines) of sessions and their subagents, in turns. A third of the sessions were resumed: they
    begin with the lines of the last session of their project."""
    last: dict[int, list[str]] = {}
    for number in range(10**9):
        project, name = number % 12, f"{pick.getrandbits(32):08x}-0000-4000-8000-{number:012x}"
        folder, cwd = Path(f"-home-dev-shop-{project}"), f"/home/dev/shop-{project}"
        resumed = last.get(project, [])[-RESUMED_LINES:] if pick.random() < 0.34 else []
        main = Session(pick, texts, truth, name, cwd, 1_790_000_000 + 700 * number)
        main.run(CALLS_PER_SESSION)
        agent = Session(pick, texts, truth, name, cwd, main.start + 60, is_sidechain=True)
        agent.run(CALLS_PER_SESSION // 6)
        copies = pick.sample(main.lines, 3)  # a helper's file may repeat lines of its session
        last[project] = main.lines
        yield folder / f"{name}.jsonl", resumed + main.lines
        yield folder / name / "subagents" / f"agent-{number:08x}.jsonl", copies + agent.lines


def installed() -> bool:
    """Whether the peers can be run; puts them into the cache first, where they are missing."""
    if os.environ.get("TOKENSPREAD_PEERS") == "none":
        print("TOKENSPREAD_PEERS=none: no peers")
        return False
    if not shutil.which("npm"):
        print("npm is not on the PATH: no peers; install Node.js to compare with them")
        return False
    marker = CACHE / "installed.json"
    if not marker.exists() or json.loads(marker.read_text()) != PEERS:
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = [f"{name}@{version}" for name, version in PEERS.items()]
        command = ["npm", "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--loglevel=error", *wanted]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            print("npm could not install the peers: no peers")
            return False
        marker.write_text(json.dumps(PEERS))
    return True


def environment(home: Path) -> dict[str, str]:
    """The user's, as if `home` were the home folder; with prices where tokscale would keep those that it fetches."""
    cache = home / ".cache" / "tokscale"
    cache.mkdir(parents=True, exist_ok=True)
    for name in ("pricing-litellm.json", "pricing-openrouter.json"):
        prices = {"timestamp": int(time.time()), "data": dict.fromkeys(MODELS, PRICES)}
        (cache / name).write_text(json.dumps(prices))
    ours = {"HOME": str(home), "XDG_CACHE_HOME": str(cache.parent), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    programs = os.pathsep.join((str(CACHE / "node_modules" / ".bin"), os.environ["PATH"]))
    return {**os.environ, **ours, "PATH": programs, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def measured(command: list[str], env: dict[str, str]) -> tuple[float, str]:
    """(CPU seconds of the process and all that it waited for, what it printed)."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=env, cwd=env["HOME"], stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command[:3])} ended with {process.returncode}")
        output.seek(0)
        return usage.ru_utime + usage.ru_stime, output.read()


def tokenspread(env: dict[str, str]) -> tuple[float, Totals]:
    data = Path(env["HOME"]) / "tokenspread_data"
    shutil.rmtree(data, ignore_errors=True)
    logs = str(Path(env["CLAUDE_CONFIG_DIR"]) / "projects")
    run = "from pipelines.cli import main; main()"
    cpu, _ = measured([sys.executable, "-c", run, "ingest", logs, "--data", str(data)], env)
    return cpu, _totals_of_ledger(data)


def _totals_of_ledger(data: Path) -> Totals:
    import polars as pl

    from pipelines import ledger

    with ledger.opened(data) as store:
        calls = pl.read_parquet(store.paths("ledger"))
    cached = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens")
    sums = calls.select(pl.col("^.*_tokens$").sum()).row(0, named=True)
    assert sums["cache_write_other_tokens"] == 0
    return {
        "calls": calls.height,
        "input": sums["input_tokens"] - sum(sums[name] for name in cached),
        **{name: sums[f"{name}_tokens"] for name in CLASSES[2:]},
    }


def ccusage(env: dict[str, str]) -> tuple[float, Totals]:
    cpu, output = measured(["ccusage", "claude", "daily", "--json", "--offline"], env)
    found = json.loads(output)["totals"]
    names = {"input": "input", "output": "output", "cache_read": "cacheRead", "cache_write": "cacheCreation"}
    return cpu, {name: found[f"{theirs}Tokens"] for name, theirs in names.items()}


def tokscale(env: dict[str, str]) -> tuple[float, Totals]:
    cpu, output = measured(["tokscale", "models", "--json", "--claude", "--no-spinner"], env)
    found = json.loads(output)
    names = {"input": "Input", "output": "Output", "cache_read": "CacheRead", "cache_write": "CacheWrite"}
    return cpu, {name: found[f"total{theirs}"] for name, theirs in {**names, "calls": "Messages"}.items()}


def verdict(name: str, totals: Totals, truth: Totals) -> bool:
    """Prints what `totals` have otherwise than the truth; classes that a tool does not tell are not held against it."""
    known = {**truth, "cache_write": truth["cache_write_5m"] + truth["cache_write_1h"]}
    wrong = [f"{key} {count / known[key] - 1:+.1%}" for key, count in totals.items() if count != known[key]]
    print(f"{name}: {', '.join(totals)}: " + (f"wrong: {', '.join(wrong)}" if wrong else "all as they are"))
    return not wrong


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    tools: dict[str, Callable[[dict[str, str]], tuple[float, Totals]]] = {"tokenspread": tokenspread}
    if installed():
        tools |= {"ccusage": ccusage, "tokscale": tokscale}
    with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as folder:
        truth, size = write_logs(Path(folder), megabytes * 10**6)
        env = environment(Path(folder))
        print(f"{size / 1e6:,.0f} MB of Claude Code logs, {truth['calls']:,} calls")
        first = {name: tool(env) for name, tool in tools.items()}  # warms the page cache for all
        right = {name: verdict(name, totals, truth) for name, (_, totals) in first.items()}
        rounds = [{name: tool(env)[0] for name, tool in tools.items()} for _ in range(ROUNDS)]
    for name in tools:
        cpu = statistics.median(each[name] for each in rounds)
        ratio = statistics.median(each["tokenspread"] / each[name] for each in rounds)
        told = "" if name == "tokenspread" else f"; tokenspread took {ratio:.2f} times that"
        print(f"{name}: {cpu:.2f} s CPU, {truth['calls'] / cpu:,.0f} calls per CPU second{told}")
    sys.exit(0 if right["tokenspread"] else 1)


if __name__ == "__main__":
    main()
