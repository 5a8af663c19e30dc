"""Records sample_logs/ again: `python sample_logs/recorder/record.py`. See ../README.md for the environment.

Everything runs on this machine: the model server, a LiteLLM proxy in front of it, the SDK clients and the
receiver of the proxy's log. Times, latencies, refusals and wrong answers are whatever happens in the run.
"""

import json
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
from anthropic import Anthropic, AnthropicError
from flat_files import write_flat_files
from model_server import MODEL
from openai import OpenAI, OpenAIError
from processes import GATEWAY, LOGS, MODEL_SERVER, RECORDER, proxy, receiver, serve_model
from support_desk import FEATURES, OUTCOMES, SUMMARY, SUMMARY_EXAMPLES, chat, read_tickets, ticket_text
from wire_log import WireLog

RECORDED = (
    "support_desk_openai.jsonl",
    "support_desk_litellm.jsonl",
    "outcomes.jsonl",
    "openai_chat_bare.jsonl",
    "anthropic_messages.jsonl",
    "litellm_spendlogs.jsonl",
)
ALIAS = "support-desk"
KEY = "sk-local"  # nobody checks it
answered_by_gateway: set[str] = set()
CLIENT_TIMEOUT = {"triage": 3.0, "summary": 3.5, "reply": 3.5}  # seconds; short enough to be missed now and then


def main() -> None:
    for name in RECORDED:
        (LOGS / name).unlink(missing_ok=True)
    direct_log = LOGS / "support_desk_openai.jsonl"
    tickets = read_tickets(RECORDER / "tickets.jsonl")
    # blocks of four tickets take turns, so that every customer and agent is on both paths
    direct = [ticket for index, ticket in enumerate(tickets) if index // 4 % 2 == 0]
    gateway = [ticket for index, ticket in enumerate(tickets) if index // 4 % 2 == 1]

    with serve_model():
        client = sdk(f"{MODEL_SERVER}/direct/v1", direct_log, retries=2)
        # a second reply draft for some tickets: the first was not liked
        again = [("reply", ticket, 2) for ticket in direct[::4]]
        run_desk(client, actions(direct) + again, model=MODEL, lane="direct")

        with receiver(LOGS / "support_desk_litellm.jsonl"), proxy("litellm_config.yaml"):
            client = sdk(f"{GATEWAY}/v1", None, retries=0)
            # tickets opened a second time: the gateway's cache answers
            reopened = [("summary", ticket, 2) for ticket in gateway[::3]]
            run_desk(client, actions(gateway), model=ALIAS, lane="west")
            run_desk(client, reopened, model=ALIAS)
            # on purpose in both logs: these calls must be counted once
            client = sdk(f"{GATEWAY}/v1", direct_log, retries=0)
            run_desk(client, [("triage", ticket, 2) for ticket in direct[1:5]], model=ALIAS, workers=1)
            time.sleep(12)  # LiteLLM sends its log every five seconds
        report_lost(LOGS / "support_desk_litellm.jsonl")

        record_bare(tickets[:8])
        with proxy("litellm_config_small.yaml"):
            record_spend_rows([*tickets[8:15], tickets[24]])  # the last one overflows the context
            record_anthropic(tickets[16:24])

    write_flat_files(LOGS)
    refuse_machine_paths()


def actions(tickets: list[dict]) -> list[tuple[str, dict, int]]:
    return [(feature, ticket, 1) for ticket in tickets for feature in FEATURES]


def run_desk(client: OpenAI, todo: list, *, model: str, lane: str | None = None, workers: int = 4) -> None:
    """A few agents at a time work through the actions. The lane goes down for a while halfway."""

    def run(number: int) -> None:
        time.sleep(random.uniform(0.5, 4.5))  # agents read before they click
        if lane and number == len(todo) // 2:
            httpx.get(f"{MODEL_SERVER}/{lane}/maintenance/4")
        # one in eleven was never checked
        run_action(client, *todo[number], model=model, is_checked=number % 11 != 5)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, range(len(todo))))


def run_action(client: OpenAI, feature: str, ticket: dict, nth: int, *, model: str, is_checked: bool) -> None:
    action_id = f"{ticket['ticket_id']}-{feature}-{nth}"
    metadata = {"feature": feature, "action_id": action_id, "customer_id": ticket["customer_id"]}
    if model == ALIAS:
        metadata["tags"] = [f"feature:{feature}", f"customer:{ticket['customer_id']}"]

    def ask(messages: list[dict], max_tokens: int) -> tuple[str, str]:
        completion = client.chat.completions.create(
            model=model,
            messages=messages,
            max_tokens=max_tokens,
            temperature=0.3,
            stop=["http", "www."],  # no made-up links
            user=ticket["agent"],
            metadata=metadata,
            timeout=30 if model == ALIAS else CLIENT_TIMEOUT[feature],
        )
        if model == ALIAS:
            answered_by_gateway.add(completion.id)
        return completion.choices[0].message.content or "", completion.choices[0].finish_reason

    try:
        is_success = FEATURES[feature](ask, ticket)
    except OpenAIError as error:
        print(f"{action_id}: {type(error).__name__}", file=sys.stderr)
        is_success = False
    if is_checked:
        outcome, value_usd = OUTCOMES[feature]
        append(
            LOGS / "outcomes.jsonl",
            {
                "action_id": action_id,
                "outcome": outcome,
                "is_success": is_success,
                "value_usd": value_usd if is_success else None,
                "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            },
        )


def report_lost(path: Path) -> None:
    """LiteLLM 1.106 empties its queue after the post, with what came in during the post. Those lines stay lost."""
    logged = {json.loads(line)["id"].split("_cache_hit")[0] for line in path.read_text().splitlines()}
    lost = len(answered_by_gateway - logged)
    print(f"LiteLLM logged all but {lost} of {len(answered_by_gateway)} answers", file=sys.stderr)


def record_bare(tickets: list[dict]) -> None:
    """Response bodies alone, byte for byte, as somebody keeps who logs only what came back."""
    client = OpenAI(base_url=f"{MODEL_SERVER}/direct/v1", api_key=KEY)
    with (LOGS / "openai_chat_bare.jsonl").open("a") as log:
        for ticket in tickets:
            messages = chat("Name the mood of the customer in one word.", (), ticket)
            raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, max_tokens=8)
            log.write(raw.text + "\n")


def record_spend_rows(tickets: list[dict]) -> None:
    """Rows of LiteLLM's spend table; spend_rows.py writes them. The last two repeat a call: cache hits."""
    client = sdk(f"{GATEWAY}/v1", None, retries=0)
    for ticket in [*tickets, *tickets[:2]]:
        messages = chat(SUMMARY.format(words=12), SUMMARY_EXAMPLES, ticket)
        tags = ["feature:digest", f"customer:{ticket['customer_id']}"]
        try:
            client.chat.completions.create(
                model=ALIAS,
                messages=messages,
                max_tokens=32,
                temperature=0,
                user=ticket["agent"],
                metadata={"tags": tags},
            )
        except OpenAIError as error:
            print(f"spend rows: {type(error).__name__}", file=sys.stderr)
    time.sleep(3)


def record_anthropic(tickets: list[dict]) -> None:
    """Anthropic's SDK at the proxy's /v1/messages. The last one asks for a model that does not exist."""
    http_client = httpx.Client(transport=WireLog(LOGS / "anthropic_messages.jsonl"))
    client = Anthropic(base_url=GATEWAY, api_key=KEY, http_client=http_client, max_retries=0)
    for ticket in tickets:
        model = ALIAS if ticket is not tickets[-1] else "no-such-model"
        try:
            client.messages.create(
                model=model,
                max_tokens=40,
                system="Say in one sentence what the customer should do next.",
                messages=[{"role": "user", "content": ticket_text(ticket)}],
                metadata={"user_id": ticket["agent"]},
            )
        except AnthropicError as error:
            print(f"anthropic: {type(error).__name__}", file=sys.stderr)


def sdk(base_url: str, log: Path | None, *, retries: int) -> OpenAI:
    http_client = httpx.Client(transport=WireLog(log)) if log else None
    return OpenAI(base_url=base_url, api_key=KEY, http_client=http_client, max_retries=retries)


write_lock = threading.Lock()


def append(path: Path, line: dict) -> None:
    with write_lock, path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def refuse_machine_paths() -> None:
    """LiteLLM logs tracebacks. A recording must not tell where it was made: use a neutral environment."""
    private = {str(LOGS), str(Path.home()), tempfile.gettempdir() + "/"}
    for path in LOGS.glob("*.jsonl"):
        found = [text for text in private if text in path.read_text()]
        if found:
            raise SystemExit(f"{path.name} names {found}: record again from a neutral place, such as /opt/recorder")


if __name__ == "__main__":
    main()
