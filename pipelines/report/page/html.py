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
CATALOGUE, HEAD_BYTES = re.compile(rb'<meta name="catalogue" content="([^"]*)">'), 1024
PLACE = re.compile(r"\{\{(\w+)\}\}")
# Nothing is loaded, sent or evaluated; of scripts and styles only those that the file was written with.
POLICY = "default-src 'none'; script-src {scripts}; style-src {style}; base-uri 'none'; form-action 'none'"


def page(query: Query, apart: Apart, catalogue: str) -> str:
    """The page of all that is published; of equal tables equal bytes. `apart` is asked only where a contract needs it;
    `catalogue` names what both ask."""
    opening, rest = page_data(query, apart)
    if "spend" in rest:
        rest["charts"] = charts(rest["spend"])
    style, script, library = _asset("page.css"), _script(), _library()
    parts = {
        "catalogue": catalogue,
        "policy": POLICY.format(scripts=f"{_hash(script)} {_hash(library)}", style=_hash(style)),
        "style": style,
        "opening": _json(opening).translate(ESCAPED),
        "rest": _packed(_json(rest)),
        "script": script,
        "library": _packed(library),
    }
    # In one pass: what a log names could look like a place to fill in.
    return PLACE.sub(lambda place: parts[place[1]], _asset("page.html"))


def catalogue_of(path: Path) -> str | None:
    """Which catalogue a page is of; null: none of ours."""
    with path.open("rb") as file:
        found = CATALOGUE.search(file.read(HEAD_BYTES))
    return found[1].decode() if found else None


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
