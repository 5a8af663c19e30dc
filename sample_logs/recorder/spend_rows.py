"""LiteLLM's own writer of its spend table, with the database replaced by a file of JSON lines."""

import os
from pathlib import Path

from litellm.litellm_core_utils.safe_json_dumps import safe_dumps
from litellm.proxy.db.db_spend_update_writer import DBSpendUpdateWriter
from litellm.proxy.hooks.proxy_track_cost_callback import ProxyDBLogger

ROWS = Path(os.environ["SPEND_ROWS_FILE"])


async def insert_into_file(self, payload, **_) -> None:
    # calls to /v1/messages stand in anthropic_messages.jsonl already, refused ones under no common id
    if "Anthropic" not in payload["request_tags"]:
        with ROWS.open("a") as rows:
            rows.write(safe_dumps(payload) + "\n")


DBSpendUpdateWriter._insert_spend_log_to_db = insert_into_file
writer = ProxyDBLogger()
