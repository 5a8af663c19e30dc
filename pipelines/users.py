"""What users are called in what is kept: by their names, or by hashes of these; and who was forgotten stays so.

With `--hash-users` (`hash_users = true` under [privacy]) a user becomes `u_` and the first 128 bits of HMAC-SHA256 of
the name, under the key in TOKENSPREAD_USER_KEY: the same user under the same key, and nobody without the key can tell
who that is, or try names. A data folder remembers that its users are hashed, and with which key. Where a user of ours
is named (revenue, scenarios, limits, forget-user), the hash may be given in place of the name.

Who was forgotten is known by a hash of the name under a random salt of the data folder. That keeps names out of the
folder and makes tables of hashes that were computed before useless. Whoever has the folder can still try a name that
they know, as we do with each name that comes in; hashed users cannot be tried without the key.
"""

import csv
import hashlib
import hmac
import io
import re
import secrets
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import UserError
from pipelines.settings import Settings

LEAST_KEY_BYTES = 32
HASHED = re.compile(r"u_[0-9a-f]{32}")
IN_SCENARIO = re.compile(r"""(?<![^\s;])user=("[^"]*"|'[^']*'|[^\s;]*)""")

Called = Callable[[str], str | None]


class Users:
    """`forgotten`: rows of that table of the manifest. Raises UserError where a key is needed and there is none, and no
    sooner."""

    def __init__(self, settings: Settings, forgotten: Sequence[dict[str, Any]] = ()) -> None:
        self._is_hashing, self._key = settings.hash_users, (settings.user_key or "").encode(errors="surrogateescape")
        self._digests = {row["digest"] for row in forgotten}
        self._salt = forgotten[0]["salt"] if forgotten else secrets.token_hex(16)

    def check(self) -> None:
        """Raises UserError where users are to be hashed, and there is no key to do it with."""
        if self._is_hashing and len(self._key) < LEAST_KEY_BYTES:
            fact = f"is shorter than {LEAST_KEY_BYTES} bytes" if self._key else "is not set"
            raise UserError(
                f"TOKENSPREAD_USER_KEY {fact}, and users are to be hashed with it; set it in the environment to a "
                "secret of your own, such as what `openssl rand -hex 32` prints, and keep it"
            )

    @property
    def key_fingerprint(self) -> str:
        """Tells one key from another, and nothing else of either."""
        return hmac.digest(self._key, b"tokenspread", "sha256").hex()[:16]

    def called(self, name: str) -> str:
        return name if HASHED.fullmatch(name) else self._hashed(name)

    def _hashed(self, name: str) -> str:
        if not self._is_hashing or not name:
            return name
        self.check()
        return f"u_{hmac.digest(self._key, name.encode(errors='surrogateescape'), 'sha256').hex()[:32]}"

    def names_of(self, user: str) -> list[str]:
        """What the person may be called: also by the name, as customer or by what was taken before it was hashed."""
        return list(dict.fromkeys((self.called(user), user)))

    def renaming(self) -> dict[str, Called]:
        """By column of CALLS and REVENUE what becomes of a name; null: nobody is told."""
        if self._is_hashing:
            return {"user_id": self._told, "customer_id": self._unless_forgotten}
        return dict.fromkeys(("user_id", "customer_id"), self._unless_forgotten) if self._digests else {}

    def _told(self, name: str) -> str | None:
        """Of a log: a name that looks like a hash is hashed too, or a log could tell of another's user."""
        return None if self._is_forgotten(name) else self._hashed(name)

    def _unless_forgotten(self, name: str) -> str | None:
        return None if self._is_forgotten(name) else name

    def _is_forgotten(self, name: str) -> bool:
        return bool(self._digests) and any(self._digest(one) in self._digests for one in self.names_of(name))

    def tombstone(self, user: str) -> tuple[str, str]:
        """digest and salt of a row of `forgotten`."""
        return self._digest(self.called(user)), self._salt

    def _digest(self, name: str) -> str:
        data = name.encode(errors="surrogateescape")
        return hashlib.blake2b(data, key=self._salt.encode(), digest_size=16).hexdigest()

    def in_revenue(self, content: bytes, path: Path) -> bytes:
        """A revenue file that was found right, with its users as they are called here; it may name them so already.
        Raises UserError for a row of somebody who was forgotten."""
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows, is_changed = [], False
        for row in reader:
            for column in ("user_id", "customer_id"):
                name = (row.get(column) or "").strip()
                if self._is_forgotten(name):
                    raise UserError(f"{path}:{reader.line_num}: is of somebody who was forgotten; take that row out")
                told = self.called(name) if column == "user_id" else name
                is_changed |= told != name
                row |= {column: told} if told != name else {}
            rows.append(row)
        if not is_changed:
            return content
        text = io.StringIO()
        writer = csv.DictWriter(text, reader.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()

    def in_scenario(self, told: Any) -> Any:
        """A scenario, as text or as a table, with the users that it is about as they are called here."""
        if isinstance(told, str):
            named = IN_SCENARIO.sub(lambda found: f"user={self.called(found[1].strip(chr(34) + chr(39)))}", told)
            if self._is_hashing and not all(map(HASHED.fullmatch, _users_in(named))):
                raise UserError('the user of a scenario cannot be hashed as written; write user=NAME or user="NAME"')
            return named
        if isinstance(told, list):
            return [self.in_scenario(step) if isinstance(step, dict) else step for step in told]
        if not isinstance(told, dict):
            return told
        named = {key: self.called(value) for key, value in told.items() if key == "user" and isinstance(value, str)}
        return told | named | ({"changes": self.in_scenario(told["changes"])} if "changes" in told else {})


def _users_in(scenario: str) -> list[str]:
    """As the words of the scenario are understood in the end."""
    lexer = shlex.shlex(scenario, posix=True, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return [word.partition("=")[2] for word in lexer if word.startswith("user=")]
    except ValueError:
        return [scenario]
