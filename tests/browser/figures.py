"""How the tests move the slider, and read what the page shows."""

from typing import Any

UNKNOWN = "\N{EN DASH}"


def move(tab: Any, change: int, scope: str = "everything") -> None:
    tab.select_option("#scope", label=scope)
    tab.evaluate(
        """(change) => {
      const range = document.getElementById("change");
      range.value = change;
      for (const name of ["input", "change"]) range.dispatchEvent(new Event(name));
    }""",
        change,
    )


def rows(tab: Any, part: str = "features") -> dict[str, dict[str, str]]:
    """What is shown of each row by its name, without the interval below a figure."""
    return tab.evaluate(
        """(part) => {
      const table = document.querySelector(`#${part} table.rows`);
      const keys = [...table.tHead.rows[0].cells].map((head) => head.dataset.key);
      const text = (cell) => {
        const copy = cell.cloneNode(true);
        copy.querySelectorAll("small").forEach((small) => small.remove());
        return copy.textContent.trim();
      };
      const lines = [...table.tBodies[0].rows].filter((row) => row.className !== "opened");
      return Object.fromEntries(lines.map((row) => {
        const cells = [...row.cells].map(text);
        return [cells[0], Object.fromEntries(cells.map((cell, at) => [keys[at], cell]))];
      }));
    }""",
        part,
    )
