"""The pages for readers, and what stands in their fenced blocks.

    ```console            commands behind "$ ", each with what it prints: run in a folder that holds the sample logs and
                          `demo_data`, which is what `make demo` leaves; `...` stands for lines that are left out
    ```toml file=NAME     a file that the page tells the reader to write (any language); later commands find it there
    ```sql                one SELECT, run against the sample's warehouse
    ```sh                 commands that no test can run (a server, a browser): their names and options are looked up
    ```text               what `make demo` prints, in part (the README's)

`pytest --update-goldens -m golden` writes the outputs anew, and keeps what is left out.
"""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
LEFT_OUT = "..."
_FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHELL_LINE = re.compile(r"(?:^|[`$] ?)(tokenspread [^`]*)")


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    file: str | None
    text: str
    place: tuple[int, int]  # of the text, in the page

    @property
    def line(self) -> int:
        return read(self.page).count("\n", 0, self.place[0]) + 1


@dataclass(frozen=True)
class Step:
    """One command of a console block, and what the page says that it prints."""

    command: str
    shown: list[str]


def read(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[Block]:
    found = _FENCE.finditer(read(page))
    return [
        Block(page, match[1], match[2], match[3], match.span(3))
        for match in found
        if not languages or match[1] in languages
    ]


def steps(block: Block) -> list[Step]:
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line.removeprefix("$ "), []))
        elif found[-1:] and found[-1].command.endswith("\\"):
            found[-1] = Step(f"{found[-1].command}\n{line}", [])
        else:
            assert found, f"{block.page}:{block.line}: a console block begins with a command"
            found[-1].shown.append(line.rstrip())
    return found


def shell_lines(page: str) -> list[str]:
    """Each `tokenspread` command that the page names in a ```sh block or an indented one, comments and all."""
    told = [block.text for block in blocks(page, "sh")]
    told += re.findall(r"^    (\S.*)$", _FENCE.sub("", read(page)), re.MULTILINE)
    lines = [line for text in told for line in text.replace("\\\n", " ").splitlines()]
    return [found[1].strip() for line in lines if (found := _SHELL_LINE.search(line))]


def is_shown(shown: list[str], printed: list[str]) -> bool:
    """Whether `shown` is `printed`, but for the lines that `...` stands for."""
    if LEFT_OUT not in shown:
        return shown == printed
    first, *middle, last = _parts(shown)
    if printed[: len(first)] != first or len(printed) < len(first) + len(last):
        return False
    at, end = len(first), len(printed) - len(last)
    for part in middle:
        starts = [start for start in range(at, end - len(part) + 1) if printed[start : start + len(part)] == part]
        if not starts:
            return False
        at = starts[0] + len(part)
    return printed[end:] == last


def shown_anew(shown: list[str], printed: list[str]) -> list[str]:
    """`printed`, with the lines left out that `shown` leaves out: each part that is shown is found by its likeness."""
    if is_shown(shown, printed) or LEFT_OUT not in shown:
        return shown if is_shown(shown, printed) else printed
    first, *middle, last = _parts(shown)
    at, end = len(first), len(printed) - len(last)
    lines = printed[:at]
    for part in middle:
        starts = range(at, max(at, end - len(part)) + 1)
        best = max(starts, key=lambda start: _likeness(part, printed[start : start + len(part)]))
        lines += [LEFT_OUT, *printed[best : best + len(part)]]
        at = best + len(part)
    return [*lines, LEFT_OUT, *printed[max(at, end) :]]


def _likeness(part: list[str], lines: list[str]) -> float:
    return SequenceMatcher(None, "\n".join(part), "\n".join(lines), autojunk=False).ratio()


def _parts(shown: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def rewritten(page: str, outputs: dict[int, list[str]]) -> str:
    """The page's text, with what each console block (by its place) now shows."""
    text = read(page)
    for block in reversed(blocks(page, "console")):
        start, end = block.place
        text = text[:start] + "".join(f"{line}\n" for line in outputs[start]) + text[end:]
    return text
