"""The page of a large ledger: 10,000 users, 200 features, 400 days.

The targets are a page below 3 MB, and a slider that answers within 2 s of the file being opened in Chromium. Beside
these it tells what writing the page takes.
"""

import json
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from pipelines import pages, stages
from pipelines.settings import Settings

CALLS = 600_000
DAYS = 400
FEATURES = 200
USERS = 10_000
RUNS = 5
FIRST = datetime(2025, 9, 1, tzinfo=UTC)
MODELS = (
    "gpt-5-mini", "gpt-5.2", "gpt-5-nano", "gpt-4.1", "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929",
    "claude-opus-4-5-20251101", "gemini-2.5-flash", "gemini-2.5-pro",
)  # fmt: skip


def lines(randomly: random.Random) -> Iterator[str]:
    """Calls, two to an action, of users of whom a few do most; features have a main model, and some change it."""
    for number in range(CALLS):
        if number % 2 == 0:
            user = int(USERS * randomly.random() ** 3)
            feature = (user * 7 + int(4 * randomly.random() ** 2)) % FEATURES
            at = FIRST + timedelta(seconds=number * 86_400 * DAYS / CALLS)
            swapped = feature % 10 == 0 and number > CALLS * (feature + 100) // 500
            told = {} if number % 8 == 0 else {"outcome": "done", "is_success": randomly.random() < 0.7}
        record = {
            "call_id": f"c-{number}",
            "called_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "model": MODELS[(feature + swapped + (randomly.random() < 0.1)) % len(MODELS)],
            "feature": f"feature-{feature}",
            "user_id": f"user-{user}",
            "customer_id": f"customer-{user % 300}",
            "action_id": f"a-{number // 2}",
            "input_tokens": randomly.randrange(100, 10_000),
            "cache_read_tokens": randomly.randrange(100),
            "output_tokens": randomly.randrange(10, 1_000),
            **told,
        }
        yield json.dumps(record) + "\n"


def revenue() -> Iterator[str]:
    yield "feature,user_id,revenue_usd\n"
    for number in range(FEATURES):
        yield f"feature-{number},,{number % 17 * 2}.50\n"


def prepared(folder: Path) -> Settings:
    with (folder / "calls.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(lines(random.Random(8)))
    (folder / "revenue.csv").write_text("".join(revenue()), encoding="utf-8")
    settings = Settings.load(
        None, logs=[str(folder / "calls.jsonl")], revenue=folder / "revenue.csv", data=folder / "data"
    )
    stages.ingest(settings)
    stages.build(settings)
    return settings


# The first move is made as soon as there is a slider: the answer is the text of the total's cost, changed.
FIRST_MOVE = """
addEventListener("DOMContentLoaded", () => {
  const wait = () => {
    const range = document.getElementById("change");
    const before = document.getElementById("readout")?.textContent;
    if (!range || !before) return setTimeout(wait, 1);
    range.value = 20;
    range.dispatchEvent(new Event("input"));
    if (document.getElementById("readout").textContent === before) throw new Error("the slider moves nothing");
    requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.answered = performance.now(); }));
  };
  wait();
});
"""


def written(settings: Settings, path: Path) -> tuple[float, float]:
    """Seconds and MB that it takes to write the page."""
    start = time.perf_counter()
    pages.write(settings, path, overwrite=True)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(path: Path) -> tuple[float, float, float]:
    """Seconds from opening the page in a browser that has just started until the slider has answered, all tables are
    there, and all charts are drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.add_init_script(FIRST_MOVE)
        tab.goto(path.as_uri(), wait_until="commit")
        tab.wait_for_selector("html[data-answered]", state="attached")
        tab.wait_for_selector("html[data-ready=all], html[data-ready=drawn]", state="attached")
        tables = tab.evaluate("performance.now()")
        tab.wait_for_selector("html[data-ready=drawn]", state="attached", timeout=60_000)
        times = (
            tab.evaluate("Number(document.documentElement.dataset.answered)"),
            tables,
            tab.evaluate("performance.now()"),
        )
        browser.close()
    return tuple(time / 1000 for time in times)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tokenspread-page-") as name:
        folder = Path(name)
        settings = prepared(folder)
        path = folder / "report.html"
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # whose memory is of this alone
            seconds, most = pool.submit(written, settings, path).result()
        print(f"{CALLS:,} calls, {USERS:,} users, {FEATURES} features, {DAYS} days")
        print(f"  written in {seconds:.1f} s; memory at most {most:,.0f} MB")
        print(f"  {path.stat().st_size / 1e6:.2f} MB (target 3 MB)")
        answered, tables, drawn = (
            statistics.median(times) for times in zip(*(opened(path) for _ in range(RUNS)), strict=True)
        )
        print(f"  median of {RUNS}: the slider answers after {answered:.2f} s (target 2 s), ", end="")
        print(f"tables after {tables:.2f} s, charts after {drawn:.2f} s")


if __name__ == "__main__":
    main()
