"""Questions to the published tables, kept beside their answers: whoever doubts a figure can ask again."""

from typing import Any

import polars as pl

from pipelines.report.figures import Query
from pipelines.warehouse_models import PUBLISHED, TABLE_MACROS, UNPUBLISHED, model_sql, models_behind, words


class Asked:
    """`query` that remembers what it was asked for which part of the page."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._part = ""
        self.texts: dict[str, list[str]] = {}

    def about(self, part: str) -> "Asked":
        self._part = part
        return self

    def __call__(self, sql: str) -> pl.DataFrame:
        texts = self.texts.setdefault(self._part, [])
        if sql.strip() not in texts:
            texts.append(sql.strip())
        return self._query(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self(sql).to_dicts()

    def models(self) -> dict[str, str]:
        """The SQL that made every table that was asked, and what these read that is not published, by its name."""
        named = {word for texts in self.texts.values() for text in texts for word in words(text)}
        shown = [name for name in (*PUBLISHED, *TABLE_MACROS) if name in named]
        behind = models_behind(shown) & UNPUBLISHED.keys()
        return {name: model_sql(name).strip() for name in (*shown, *sorted(behind))}
