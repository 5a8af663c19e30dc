"""A text that stands where prompts and answers stand, and a search for it in all that is kept or printed."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines import ledger, proof
from pipelines.sought import Sought

CANARY = "Kanarie9f2c7b51d3"  # percent-encoded and in JSON it is the same
TEXT = f'say "{CANARY}"\nand go'
# what holds text in one shape or another: said, asked, answered, done, gone wrong, or where it happened
TEXT_KEYS = {
    "content", "text", "prompt", "completion", "arguments", "instructions", "description", "message", "error", "reason",
    "cwd", "gitBranch", "command", "stdout", "stderr", "output_text", "refusal", "thinking", "signature",
    "summary", "title", "query", "file_path", "partial_json", "request_uri", "client_ip", "user_agent",
    "last_agent_message",
}  # fmt: skip


def forms() -> list[bytes]:
    plain = CANARY.encode()
    found = [plain, CANARY.encode("utf-16-le"), CANARY.encode("utf-16-be"), plain.hex().encode(), plain[::-1]]
    for shift in range(3):  # what surrounds it decides how base64 cuts it
        whole = base64.b64encode(b"\0" * shift + plain + b"\0" * 3)
        found.append(whole[4 if shift else 0 : 4 * (len(plain) // 3)])
    return found


def in_bytes(data: bytes) -> bool:
    return any(form in data for form in forms())


def in_folder(folder: Path) -> list[str]:
    """Where it stands in a data folder: among bytes in any of its forms, or in what is compressed."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    places = [f"{path}: bytes" for path in files if in_bytes(path.read_bytes()) or CANARY in path.name]
    with ledger.opened(folder) as store:
        if (folder / "warehouse.duckdb").exists():
            return places + proof.search(store, Sought(CANARY)).places
        found = proof.Proof()
        proof._search_ledger(store, Sought(CANARY), found)
        proof._search_manifest(store, Sought(CANARY), found)
        return places + found.places


def planted(value: Any, key: str = "") -> Any:
    """A record with the canary in each text, and in one more entry of each object."""
    if isinstance(value, dict):
        told = {name: planted(inner, name) for name, inner in value.items()}
        return told | {"remark": TEXT}
    if isinstance(value, list):
        return [planted(inner, key) for inner in value]
    if (
        isinstance(value, str)
        and key != "cwd"  # a coding agent's folder: the feature of its calls
        and (key in TEXT_KEYS or " " in value.strip())
        and not (value[:1].isdigit() or _holds_json(value))
    ):
        return TEXT
    return value


def _holds_json(value: str) -> bool:
    return '{"' in value or value.lstrip().startswith("[")


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of each string in a record."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif isinstance(value, str):
        yield path


def with_text_at(record: Any, path: tuple) -> Any:
    changed = json.loads(json.dumps(record))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = TEXT
    return changed
