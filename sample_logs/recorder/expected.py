"""Says what sample_logs/ must yield, and writes EXPECTED.json. Shares no code with tokenspread: a second opinion.

    python sample_logs/recorder/expected.py

Each file is read by the simplest loop that is right for its shape. What one file tells twice is counted once
(`duplicates_within`); what two files tell is counted once in the totals (`duplicates_across`).
"""

import csv
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

LOGS = Path(__file__).resolve().parent.parent / "support_desk"
TOKENS = [
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_other_tokens",
    "output_tokens",
    "reasoning_tokens",
]
DESK = ("support_desk_openai.jsonl", "support_desk_litellm.jsonl")


@dataclass
class Call:
    key: tuple  # what makes two lines the same call
    provider: str
    model: str | None
    status: str = "success"
    tokens: dict = field(default_factory=dict)  # a class that is not there is unknown
    feature: str | None = None
    user_id: str | None = None
    customer_id: str | None = None
    action_id: str | None = None


# One reader for each shape. Each returns a call, or None for a line that tells of none.


def status_of(line: dict, usage: dict | None) -> str:
    """Refused: the server answered with an HTTP error, for which none bills. Without an answer nobody knows."""
    return "success" if usage else "refused" if (line.get("status_code") or 0) >= 400 else "error"


def openai_chat(line: dict, place: tuple) -> Call:
    """A request and response pair, or a response alone. A refusal has no id: each is a call of its own."""
    request, response = (line["request"], line["response"] or {}) if "request" in line else ({}, line)
    metadata, usage = request.get("metadata", {}), response.get("usage")
    return Call(
        key=("openai", response["id"]) if "id" in response else place,
        provider="openai",
        model=response.get("model") or request.get("model"),
        status=status_of(line, usage),
        tokens={"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]} if usage else {},
        feature=metadata.get("feature"),
        user_id=request.get("user"),
        customer_id=metadata.get("customer_id"),
        action_id=metadata.get("action_id"),
    )


def litellm_slp(line: dict, _: tuple) -> Call:
    """A failure has zeros, which are not known. A cache hit repeats the id of the call whose answer it gave."""
    metadata = line["metadata"]["requester_metadata"]
    key, status = ("openai", line["id"]), "success"
    if line["cache_hit"]:
        key, status = ("litellm", line["litellm_call_id"]), "cache_hit"
    elif line["status"] == "failure":
        # all attempts of one client request have the same litellm_call_id
        key, status = ("litellm", line["litellm_call_id"], line["startTime"]), failure(line["error_information"])
    return Call(
        key=key,
        provider=line["custom_llm_provider"],
        model=line["model"].removeprefix("openai/"),
        status=status,
        tokens=litellm_tokens(line, status),
        feature=metadata["feature"],
        user_id=line["end_user"],
        customer_id=metadata["customer_id"],
        action_id=metadata["action_id"],
    )


def litellm_spend(line: dict, _: tuple) -> Call:
    tags = dict(tag.split(":", 1) for tag in json.loads(line["request_tags"]) if not tag.startswith("User-Agent"))
    failed = line["status"] == "failure" and failure(json.loads(line["metadata"])["error_information"])
    status = "cache_hit" if line["cache_hit"] == "True" else failed or "success"
    return Call(
        key=("openai", line["request_id"]),
        provider=line["custom_llm_provider"],
        model=line["model"].removeprefix("openai/"),
        status=status,
        tokens=litellm_tokens(line, status),
        feature=tags.get("feature"),
        user_id=line["end_user"],
        customer_id=tags.get("customer"),
    )


def failure(told: dict) -> str:
    """LiteLLM has a code for everything; of those in these files 4xx and 503 are what the model server said."""
    return "refused" if told["error_code"] in ("400", "429", "503") else "error"


def litellm_tokens(line: dict, status: str) -> dict:
    """The spend table has LiteLLM's own estimate for a prompt that was refused: that is not usage."""
    if status in ("refused", "error"):
        return {}
    return {"input_tokens": line["prompt_tokens"], "output_tokens": line["completion_tokens"]}


def anthropic_messages(line: dict, place: tuple) -> Call:
    response, request = line["response"] or {}, line["request"]
    usage = response.get("usage")
    return Call(
        key=("anthropic", response["id"]) if usage else place,
        provider="anthropic",
        model=response.get("model") or request["model"],
        status=status_of(line, usage),
        tokens=anthropic_tokens(usage) if usage else {},
        user_id=request["metadata"]["user_id"],
    )


def claude_code(line: dict, _: tuple) -> Call | None:
    message = line.get("message", {})
    if line["type"] != "assistant" or message["model"] == "<synthetic>":
        return None
    return Call(
        key=("anthropic", message["id"], line["requestId"]),
        provider="anthropic",
        model=message["model"],
        tokens=anthropic_tokens(message["usage"]),
    )


def anthropic_tokens(usage: dict) -> dict:
    """Anthropic counts cached tokens beside the input, not in it."""
    read, write = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    split = usage.get("cache_creation") or {"ephemeral_5m_input_tokens": write, "ephemeral_1h_input_tokens": 0}
    return {
        "input_tokens": usage["input_tokens"] + read + write,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": split["ephemeral_5m_input_tokens"],
        "cache_write_1h_tokens": split["ephemeral_1h_input_tokens"],
        "output_tokens": usage["output_tokens"],
    }


def tokenspread(line: dict, _: tuple) -> Call:
    return Call(
        key=(line["provider"], line["call_id"]),
        tokens={name: int(line[name]) for name in TOKENS if line[name] not in (None, "")},
        **{
            name: line[name] or None
            for name in ["provider", "model", "status", "feature", "user_id", "customer_id", "action_id"]
        },
    )


SHAPES = {
    "support_desk_openai.jsonl": ("openai_chat", openai_chat),
    "support_desk_litellm.jsonl": ("litellm_slp", litellm_slp),
    "openai_chat_bare.jsonl": ("openai_chat", openai_chat),
    "anthropic_messages.jsonl": ("anthropic_messages", anthropic_messages),
    "litellm_spendlogs.jsonl": ("litellm_spendlogs", litellm_spend),
    "claude_code/7c1d2f60-4b7e-4f0a-9a51-2f6c8d0e4b11.jsonl": ("claude_code", claude_code),
    "claude_code/subagents/agent-a9c41e7.jsonl": ("claude_code", claude_code),
    "tokenspread.jsonl": ("tokenspread", tokenspread),
    "tokenspread.csv": ("tokenspread", tokenspread),
    "tokenspread.parquet": ("tokenspread", tokenspread),
}


def rows(path: Path) -> list[dict]:
    if path.suffix == ".csv":
        return list(csv.DictReader(path.open()))
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]


def keep_fullest(calls: list[Call]) -> dict[tuple, Call]:
    """One call per key. A coding agent writes a call several times while it grows: the largest output is the end."""
    kept: dict[tuple, Call] = {}
    for call in calls:
        known = kept.get(call.key)
        if known is None or call.tokens.get("output_tokens", 0) > known.tokens.get("output_tokens", 0):
            kept[call.key] = call
    return kept


def figures(calls: list[Call]) -> dict:
    """Tokens are those that were sent to a model and known. A cache hit sent none: its replayed counts stand apart."""
    hits = [call for call in calls if call.status == "cache_hit"]
    statuses = Counter(call.status for call in calls)
    sent = [call for call in calls if call.status != "cache_hit"]
    return {
        "calls": len(calls),
        "refused_calls": statuses["refused"],
        "error_calls": statuses["refused"] + statuses["error"],
        "cache_hit_calls": len(hits),
        "unknown_usage_calls": sum(not {"input_tokens", "output_tokens"} <= call.tokens.keys() for call in calls),
        **{name: sum(call.tokens.get(name, 0) for call in sent) for name in TOKENS},
        "cache_hit_input_tokens": sum(call.tokens.get("input_tokens", 0) for call in hits),
        "cache_hit_output_tokens": sum(call.tokens.get("output_tokens", 0) for call in hits),
    }


def main() -> None:
    files, kept = {}, {}
    for name, (shape, read) in SHAPES.items():
        lines = rows(LOGS / name)
        found = [call for number, line in enumerate(lines, 1) if (call := read(line, (name, number)))]
        kept[name] = keep_fullest(found)
        counts = {"lines": len(lines), "duplicates_within": len(found) - len(kept[name])}
        counts |= {"other_lines": len(lines) - len(found), "quarantined": 0}
        files[name] = {"shape": shape, **counts, **figures(list(kept[name].values()))}

    everything = keep_fullest([call for calls in kept.values() for call in calls.values()])
    counted = ("lines", "duplicates_within", "other_lines", "quarantined")
    total = {name: sum(file[name] for file in files.values()) for name in counted}
    total["duplicates_across"] = sum(map(len, kept.values())) - len(everything)
    total |= figures(list(everything.values()))
    assert total["lines"] == sum(
        total[name] for name in ("calls", "duplicates_within", "duplicates_across", "other_lines", "quarantined")
    )
    desk = keep_fullest([call for name in DESK for call in kept[name].values()])
    expected = {"files": files, "total": total, "support_desk": support_desk(list(desk.values()))}
    (LOGS / "EXPECTED.json").write_text(json.dumps(expected, indent=2) + "\n")
    print(table(files | {"**all files**": total | {"shape": ""}}))


def table(files: dict) -> str:
    """The table of README.md."""
    columns = {
        "lines": "lines",
        "calls": "calls",
        "refused": "refused_calls",
        "lost": "lost_calls",
        "cache hits": "cache_hit_calls",
        "usage unknown": "unknown_usage_calls",
        "duplicates": "duplicates",
        "other lines": "other_lines",
        "input": "input_tokens",
        "cache read": "cache_read_tokens",
        "cache writes": "cache_writes",
        "output": "output_tokens",
    }
    lines = ["| file | shape | " + " | ".join(columns) + " |", "|---|---" + "|--:" * len(columns) + "|"]
    for name, file in files.items():
        file = file | {
            "duplicates": file["duplicates_within"] + file.get("duplicates_across", 0),
            "lost_calls": file["error_calls"] - file["refused_calls"],
            "cache_writes": sum(file[column] for column in TOKENS if column.startswith("cache_write")),
        }
        cells = [f"`{name}`" if file["shape"] else name, file["shape"], *(f"{file[key]:,}" for key in columns.values())]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def support_desk(calls: list[Call]) -> dict:
    """The two logs of the support desk together, joined with its outcomes, prices and revenue."""
    outcomes = {line["action_id"]: line for line in rows(LOGS / "outcomes.jsonl")}
    prices = {(row["model"], row["token_class"]): Decimal(row["usd_per_million"]) for row in rows(LOGS / "prices.csv")}
    revenue = defaultdict(Decimal)
    for row in rows(LOGS / "revenue.csv"):
        revenue[row["feature"]] += Decimal(row["revenue_usd"])

    def cost(call: Call) -> Decimal:
        if call.status in ("cache_hit", "refused"):
            return Decimal(0)
        used = {name: call.tokens.get(f"{name}_tokens", 0) for name in ("input", "output")}
        rated = (count * prices[call.model, name] for name, count in used.items() if count)
        return sum(rated, Decimal(0)) / 1_000_000

    def group(members: list[Call]) -> dict:
        actions = {call.action_id for call in members}
        checked = [outcomes[action] for action in actions if action in outcomes]
        return {
            "actions": len(actions),
            **figures(members),
            "labelled_actions": len(checked),
            "successes": sum(outcome["is_success"] for outcome in checked),
            "value_usd": str(sum((Decimal(outcome["value_usd"] or 0) for outcome in checked), Decimal(0))),
            "cost_usd": f"{sum(map(cost, members), Decimal(0)):f}",
        }

    def by(column: str) -> dict:
        groups = defaultdict(list)
        for call in calls:
            groups[getattr(call, column)].append(call)
        return {name: group(groups[name]) for name in sorted(groups)}

    features = by("feature")
    for name, numbers in features.items():
        numbers["revenue_usd"] = str(revenue[name])
        numbers["margin_usd"] = f"{revenue[name] - Decimal(numbers['cost_usd']):f}"
    return {
        "all": group(calls) | {"calls_by_status": dict(sorted(Counter(call.status for call in calls).items()))},
        "features": features,
        "users": by("user_id"),
        "customers": by("customer_id"),
        "outcomes_without_calls": len(outcomes.keys() - {call.action_id for call in calls}),
    }


if __name__ == "__main__":
    main()
