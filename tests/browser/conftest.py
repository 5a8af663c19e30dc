"""One browser for all of these tests, and pages of small ledgers in it; skipped where no Chromium is installed."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines import pages, stages
from pipelines.settings import Settings

DESK = Path(__file__).resolve().parents[2] / "sample_logs" / "support_desk"


@dataclass
class Ledger:
    """A published data folder and the page of it."""

    settings: Settings
    page: Path

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return stages.query(self.settings, sql).to_dicts()


@dataclass
class Opened:
    """A page in a tab of its own; `troubles` are its errors, warnings, and requests for anything but itself."""

    tab: Any
    troubles: list[str] = field(default_factory=list)


def published(folder: Path, logs: list[Path], **given: Any) -> Ledger:
    settings = Settings.load(None, logs=list(map(str, logs)), data=folder / "data", **given)
    stages.ingest(settings)
    stages.build(settings)
    pages.write(settings, folder / "page.html", overwrite=True)
    return Ledger(settings, folder / "page.html")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The support desk of the sample logs: some of its calls have no price."""
    given = {"outcomes": [DESK / "outcomes.jsonl"], "revenue": DESK / "revenue.csv", "prices": DESK / "prices.csv"}
    return published(tmp_path_factory.mktemp("desk"), [DESK], **given)


@pytest.fixture
def ledger_of(tmp_path: Path) -> Callable[..., Ledger]:
    """A ledger of calls of our own shape, and of what else is given."""

    def made(calls: list[dict[str, Any]], **given: Any) -> Ledger:
        log = tmp_path / "calls.jsonl"
        log.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
        return published(tmp_path, [log], **given)

    return made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on the PATH: the page is not tried in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    with playwright.sync_playwright() as driver:
        # without a sandbox, since root cannot have one; what it opens is what was just written
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a page until its charts are drawn. Whatever it asks for but itself is refused and told."""
    contexts = []

    def opened(path: Path, **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        tab = context.new_page()
        found = Opened(tab)
        tab.on("console", lambda message: found.troubles.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: found.troubles.append(f"error: {error}"))

        def met(route: Any) -> None:
            if route.request.url == path.as_uri():
                route.continue_()
            else:
                found.troubles.append(f"request: {route.request.url}")
                route.abort()

        context.route("**/*", met)
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-ready=drawn]", state="attached", timeout=60_000)
        return found

    yield opened
    for context in contexts:
        context.close()
