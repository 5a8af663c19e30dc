"""The page as text: its data, style, scripts and charts in one file that asks nobody for anything."""

import base64
import gzip
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipelines.durable import lend, replacing
from pipelines.errors import UserError
from pipelines.report.figures import Query
from pipelines.report.page.charts import charts
from pipelines.report.page.data import page_data
from pipelines.report.page.slider import Apart

SCRIPTS = (
    "money.js", "prices.js", "elements.js", "table.js", "charts.js", "details.js", "summary.js", "slider.js",
    "lists.js", "history.js", "exposure.js", "basis.js", "page.js",
)  # fmt: skip
# In a script element a text that ends it, or opens a comment in it, would be obeyed; U+2028 and U+2029 end a line of
# JavaScript.
ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
PLACE = re.compile(r"\{\{(\w+)\}\}")
# Nothing is loaded, sent or evaluated; of scripts and styles only those that the file was written with.
POLICY = "default-src 'none'; script-src {scripts}; style-src {style}; base-uri 'none'; form-action 'none'"


def write(path: Path, query: Query, apart: Apart) -> None:
    """The page of all that is published, in place of what `path` held: whole, or not at all. `apart` is asked only
    where a contract needs it. Raises UserError."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is no file that a page could replace; name another")
    text = page(query, apart)
    try:
        with replacing(path) as unfinished:
            unfinished.touch(mode=0o600)
            unfinished.write_text(text, encoding="utf-8")
            lend(unfinished, 0o600)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours") from error


def page(query: Query, apart: Apart) -> str:
    """The page; of equal tables equal bytes."""
    opening, rest = page_data(query, apart)
    if "spend" in rest:
        rest["charts"] = charts(rest["spend"])
    style, script, library = _asset("page.css"), _script(), _library()
    parts = {
        "policy": POLICY.format(scripts=f"{_hash(script)} {_hash(library)}", style=_hash(style)),
        "style": style,
        "opening": _json(opening).translate(ESCAPED),
        "rest": _packed(_json(rest)),
        "script": script,
        "library": _packed(library),
    }
    # In one pass: what a log names could look like a place to fill in.
    return PLACE.sub(lambda place: parts[place[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return files("pipelines.report.page").joinpath("assets", name).read_text(encoding="utf-8").strip()


def _script() -> str:
    """The page's own scripts as one, with names of their own."""
    return "\n".join(['"use strict";', "(() => {", *map(_asset, SCRIPTS), "})();"])


@cache
def _library() -> str:
    """Vega-Lite, Vega and what draws with them, as one script without any import."""
    import vl_convert  # 20 MB of JavaScript engine, for charts alone

    # Its thousand short names are kept from those of others.
    return f"(() => {{{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;').strip()}}})();"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _packed(text: str) -> str:
    """What the page unpacks when it is open; the time of packing is left out."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
