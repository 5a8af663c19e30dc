"""The support desk: three features, what each asks of the model, and how each answer is checked.

`ask(messages, max_tokens)` makes one call and returns (text, finish_reason). A feature may ask twice in one
action: the second call belongs to the same action, and its cost does too.
"""

import json
from collections.abc import Callable
from pathlib import Path

Ask = Callable[[list[dict], int], tuple[str, str]]

LABELS = ("billing", "shipping", "defect", "account")
SUMMARY_WORDS = 18
GREETINGS = ("hello", "hi ", "hi,", "dear", "good ")

AGENTS = {
    "northwind-books": ("agent-ana", "agent-ben", "agent-cho"),
    "harbor-coffee": ("agent-dia", "agent-eli", "agent-fay"),
    "lumen-bikes": ("agent-gus", "agent-hana", "agent-ivo"),
    "pine-toys": ("agent-jun", "agent-kim", "agent-lea"),
}

TRIAGE = "Sort each ticket into one of four words: billing, shipping, defect, account. Answer with that one word."
TRIAGE_EXAMPLES = (
    ("The parcel with my lamp never came.", "shipping"),
    ("The lamp was paid twice. I want one payment back.", "billing"),
    ("The lamp arrived broken and does not turn on.", "defect"),
    ("I cannot log in, my password is refused.", "account"),
    ("The invoice of the lamp shows the wrong price.", "billing"),
    ("My lamp is still with the courier.", "shipping"),
    ("Please delete my profile.", "account"),
    ("The lamp has a crack.", "defect"),
)
SUMMARY = "Say in one short sentence what the customer wants. Use at most {words} words."
SUMMARY_EXAMPLES = (
    (
        "I ordered a lamp last week and the glass was broken. I would like a new one.",
        "Broken lamp, customer wants a new one.",
    ),
    (
        "The courier has had my lamp for ten days and nobody can say where it is.",
        "Lamp lost by the courier, customer asks where it is.",
    ),
)
REPLY = "Write a short, friendly reply to the ticket. Start with Hello. Name the product and the order."
REPLY_EXAMPLES = (
    (
        "The glass of the Desk Lamp, order ZZ-11, is broken.",
        "Hello, we are sorry that the Desk Lamp of order ZZ-11 arrived broken. A new one leaves today. "
        "Kind regards, your support team",
    ),
    (
        "I paid twice for the Desk Lamp of order ZZ-12.",
        "Hello, thank you for telling us. We return the second payment for the Desk Lamp of order ZZ-12 this week. "
        "Kind regards, your support team",
    ),
)


def triage(ask: Ask, ticket: dict) -> bool:
    """Few examples first, since they are cheap; all of them when the answer was no label."""
    answer = ""
    for examples in (TRIAGE_EXAMPLES[:4], TRIAGE_EXAMPLES):
        text, _ = ask(chat(TRIAGE, examples, ticket), 12)
        answer = text.strip(" .\n").lower()
        if answer in LABELS:
            break
    return answer == ticket["label"]


def summary(ask: Ask, ticket: dict) -> bool:
    """Asked again, for fewer words, when it came out too long."""
    count = 0
    for words in (SUMMARY_WORDS, SUMMARY_WORDS - 8):
        text, _ = ask(chat(SUMMARY.format(words=words), SUMMARY_EXAMPLES, ticket), 48)
        count = len(text.split())
        if count <= SUMMARY_WORDS:
            break
    return 0 < count <= SUMMARY_WORDS


def reply(ask: Ask, ticket: dict) -> bool:
    """Asked again when the draft was cut off."""
    text = ""
    for _ in range(2):
        text, finish_reason = ask(chat(REPLY, REPLY_EXAMPLES, ticket), 80)
        if finish_reason == "stop":
            break
    names_it = ticket["order"] in text or ticket["product"] in text
    return text.strip().lower().startswith(GREETINGS) and names_it


FEATURES = {"triage": triage, "summary": summary, "reply": reply}
# what one good result is worth to the shop; a summary's worth was never agreed on
OUTCOMES = {
    "triage": ("triage_label", "0.0040"),
    "summary": ("summary_length", None),
    "reply": ("reply_draft", "0.0060"),
}


def chat(system: str, examples: tuple, ticket: dict) -> list[dict]:
    messages = [{"role": "system", "content": system}]
    for question, answer in examples:
        messages += [user(question), {"role": "assistant", "content": answer}]
    return [*messages, user(ticket_text(ticket))]


def user(text: str) -> dict:
    return {"role": "user", "content": f"Ticket: {text}"}


def ticket_text(ticket: dict) -> str:
    pasted = [f"{n}: {ticket['pasted_line']}" for n in range(1, ticket.get("pasted_count", 0) + 1)]
    return "\n".join([ticket["text"], *pasted])


def read_tickets(path: Path) -> list[dict]:
    """Tickets with the agent who works on each: every agent gets tickets of one customer only."""
    tickets = [json.loads(line) for line in path.read_text().splitlines()]
    for index, ticket in enumerate(tickets):
        ticket["agent"] = AGENTS[ticket["customer_id"]][index // len(AGENTS) % 3]
    return tickets
