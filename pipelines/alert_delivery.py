"""Alerts on their way out: one message to a webhook, and to a command. Whoever takes it can tell by alert_id what they
had before. A webhook's address is a secret, so only its host is ever told.
"""

import ipaddress
import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from pipelines.alert_rules import KINDS
from pipelines.night_rules import Alerts
from pipelines.report.text import counted, harmless

DELAYS_SECONDS = (1.0, 4.0)  # between the tries, give or take a half
WEBHOOK_SECONDS, COMMAND_SECONDS = 10, 60
MOST_LINES = 20  # of the text; the list has all
MOST_ALERTS = 50  # of one message: a receiver may refuse a large one
TOLD = ("alert_id", "kind", "day", "dimension", "name", "text", "impact_usd", "first_at")
PASSING = (408, 425, 429)  # and everything from 500 up

Send = Callable[[bytes], None]


class Undelivered(Exception):
    """Why a message was not taken; whether it may be, if tried again."""

    def __init__(self, why: str, may_pass: bool) -> None:
        super().__init__(why)
        self.may_pass = may_pass


def channels(alerts: Alerts) -> dict[str, Send]:
    """Those that are set, by name."""
    found: dict[str, Send] = {}
    if alerts.webhook:
        found["webhook"] = partial(_post, alerts.webhook)
    if alerts.command:
        found["command"] = partial(_run, alerts.command)
    return found


def messages(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows of `alert`, the gravest kinds first, in parts of which each is one message."""
    rows = sorted(rows, key=lambda row: KINDS.index(row["kind"]))  # within a kind as they were noted
    return [rows[start : start + MOST_ALERTS] for start in range(0, len(rows), MOST_ALERTS)]


def body_of(rows: list[dict[str, Any]], folder: str) -> bytes:
    """JSON of all of them: {"text", "alerts", "data"}."""
    lines = [f"{row['kind']}: {row['text']}" for row in rows[:MOST_LINES]]
    if more := len(rows) - MOST_LINES:
        lines += [f"and {more:,} more"] if more > 0 else []
    text = "\n".join([f"tokenspread, {harmless(folder)}: {counted(len(rows), 'alert')}", *lines])
    told = [{name: row[name] for name in TOLD} for row in rows]
    return json.dumps({"text": text, "alerts": told, "data": folder}).encode()


def deliver(send: Send, body: bytes) -> str | None:
    """Why it was not delivered, after three tries where another one can help; None: it was."""
    for delay in (*DELAYS_SECONDS, None):
        try:
            send(body)
            return None
        except Undelivered as error:
            if delay is None or not error.may_pass:
                return str(error)
            time.sleep(delay * random.uniform(0.5, 1.5))
    raise AssertionError("the last try has no delay")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected becomes a GET without its body: somebody would answer, and nobody be told."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(url: str, body: bytes) -> None:
    host = "the webhook's host"
    try:
        host = urlsplit(url).hostname or host
        headers = {"Content-Type": "application/json", "User-Agent": "tokenspread"}
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        proxies = [urllib.request.ProxyHandler({})] if _is_loopback(host) else []
        with urllib.request.build_opener(_NoRedirects(), *proxies).open(request, timeout=WEBHOOK_SECONDS):
            return
    except HTTPError as error:
        error.close()
        fix = ", which leads elsewhere: set the address that it leads to" if 300 <= error.code < 400 else ""
        may_pass = error.code >= 500 or error.code in PASSING
        raise Undelivered(f"{host} answered {error.code}{fix}", may_pass) from None
    except (OSError, HTTPException, ValueError) as error:  # whose text may cite the address
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or type(reason).__name__
        raise Undelivered(f"{host}: {why}", isinstance(error, OSError | HTTPException)) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _run(command: tuple[str, ...], body: bytes) -> None:
    name = Path(command[0]).name
    silent = subprocess.DEVNULL
    try:
        done = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=silent, stderr=silent, start_new_session=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Undelivered(f"command {name} cannot be run: {why}", False) from None
    try:
        done.communicate(body, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(done.pid, signal.SIGKILL)  # and what it started
        done.communicate()
        raise Undelivered(f"command {name} did not end within {COMMAND_SECONDS} s", True) from None
    if done.returncode:
        raise Undelivered(f"command {name} ended with exit code {done.returncode}", True)
