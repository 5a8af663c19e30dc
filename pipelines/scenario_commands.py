"""The door to scenarios: `tokenspread reprice` and `swap`. What is heavy is imported inside a command."""

import sys
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import (
    AsCsv,
    AsJson,
    AsMarkdown,
    By,
    Config,
    Data,
    Since,
    Top,
    Until,
    Where,
    examples,
    form_of,
)
from pipelines.settings import Settings

Ratio = Annotated[str | None, typer.Option(help="Tokens after over tokens before, such as 1.2.")]

REPRICE_EXAMPLES = examples(
    "tokenspread reprice -30% '+50% provider=anthropic' --by customer",
    "tokenspread reprice --grid -50:50:10 --where feature=reply --csv",
)
SWAP_EXAMPLES = examples(
    "tokenspread swap",
    "tokenspread swap gpt-5-mini anthropic/claude-haiku-4-5 --since 2026-11-20",
)


def register(app: typer.Typer) -> None:
    # a scenario may be called -30%
    app.command(context_settings={"ignore_unknown_options": True}, epilog=REPRICE_EXAMPLES)(reprice)
    app.command(epilog=SWAP_EXAMPLES)(swap)


def reprice(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(help="Scenarios: -30%, '+50% provider=openai', a defined name, or a .toml file of them."),
    ] = None,
    grid: Annotated[str | None, typer.Option(help="Changes of all prices from:to:step in percent: -50:50:5.")] = None,
    by: By = "feature", top: Top = None, since: Since = None, until: Until = None, where: Where = None,
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Re-price the published usage under any scenarios, in memory: nothing is read again and nothing is written."""
    from pipelines import scenario_desk, selection
    from pipelines.report import repriced

    repriced.check(by)
    form, selected = form_of(as_json, as_csv, as_markdown), selection.of(since, until, where)
    settings = Settings.load(config, data=data)
    chosen = scenario_desk.chosen(settings, scenario or (), grid)
    with scenario_desk.asked_of(selected, chosen, settings, *repriced.MODELS) as (ask, part):
        repriced.write(ask, by, form, sys.stdout, part, top, settings.data)


def swap(
    from_model: Annotated[str | None, typer.Argument(metavar="FROM", help="The model that is replaced.")] = None,
    to_model: Annotated[str | None, typer.Argument(metavar="TO", help="The model instead: provider/model.")] = None,
    input_ratio: Ratio = None, output_ratio: Ratio = None, feature: Annotated[
        str | None, typer.Option(help="In this feature alone.")
    ] = None,
    by: By = "feature", top: Top = None, since: Since = None, until: Until = None, where: Where = None,
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Without models: the swaps of the past, and what they did. With two: what the one costs in place of the other."""
    from pipelines import sandbox, scenario_desk, selection
    from pipelines.report import repriced, swaps

    repriced.check(by)
    form, selected = form_of(as_json, as_csv, as_markdown), selection.of(since, until, where)
    settings = Settings.load(config, data=data)
    if from_model is None:
        with selection.asked(settings, selected, *swaps.MODELS) as (ask, part):
            swaps.write_past(ask, form, sys.stdout, part=part, most=top, data=settings.data)
        return
    if to_model is None:
        raise UserError("swap: name two models, or none to see the swaps of the past")
    ratios = {"input_ratio": input_ratio, "output_ratio": output_ratio}
    swapped = scenario_desk.swapped(from_model, to_model, ratios, feature)
    one = (settings.data / "warehouse.duckdb").resolve()  # costs and evidence of one publication
    with scenario_desk.asked_of(selected, swapped, settings, *repriced.MODELS, catalogue=one) as (ask, part):
        measured = repriced.measured_pairs(ask)
        with sandbox.asking(one) as published:
            evidence = [swaps.evidence(published, *pair) for pair in measured]
        repriced.write(ask, by, form, sys.stdout, part, top, settings.data, evidence)
