"""The door to scenarios: `tokenspread reprice` and `swap`. What is heavy is imported inside a command."""

import sys
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import AsJson, By, Config, Data
from pipelines.settings import Settings

Ratio = Annotated[str | None, typer.Option(help="Tokens after over tokens before, such as 1.2.")]


def register(app: typer.Typer) -> None:
    # a scenario may be called -30%
    app.command(context_settings={"ignore_unknown_options": True})(reprice)
    app.command()(swap)


def reprice(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(help="Scenarios: -30%, '+50% provider=openai', a defined name, or a .toml file of them."),
    ] = None,
    grid: Annotated[str | None, typer.Option(help="Changes of all prices from:to:step in percent: -50:100:5.")] = None,
    by: By = "feature", as_json: AsJson = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Re-price the published usage under any scenarios, in memory: nothing is read again and nothing is written."""
    from pipelines import scenario_desk
    from pipelines.report import repriced

    repriced.check(by)
    settings = Settings.load(config, data=data)
    with scenario_desk.asked(scenario_desk.chosen(settings, scenario or (), grid), settings, *repriced.MODELS) as ask:
        repriced.write(ask, by, as_json, sys.stdout)


def swap(
    from_model: Annotated[str | None, typer.Argument(metavar="FROM", help="The model that is replaced.")] = None,
    to_model: Annotated[str | None, typer.Argument(metavar="TO", help="The model instead: provider/model.")] = None,
    input_ratio: Ratio = None, output_ratio: Ratio = None, feature: Annotated[
        str | None, typer.Option(help="In this feature alone.")
    ] = None,
    by: By = "feature", as_json: AsJson = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Without models: the swaps of the past, and what they did. With two: what the one costs in place of the other."""
    from pipelines import scenario_desk, stages
    from pipelines.report import repriced, swaps

    repriced.check(by)
    settings = Settings.load(config, data=data)
    if from_model is None:
        swaps.write_past(lambda query: stages.query(settings, query), as_json, sys.stdout)
        return
    if to_model is None:
        raise UserError("swap: name two models, or none to see the swaps of the past")
    ratios = {"input_ratio": input_ratio, "output_ratio": output_ratio}
    swapped = scenario_desk.swapped(from_model, to_model, ratios, feature)
    with scenario_desk.asked(swapped, settings, *repriced.MODELS) as ask:
        repriced.write(ask, by, as_json, sys.stdout)
        for pair in [] if as_json else repriced.measured_pairs(ask):
            print()
            swaps.write_evidence(ask, *pair, False, sys.stdout)
