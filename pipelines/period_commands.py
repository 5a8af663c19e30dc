"""The door to periods: `tokenspread bridge` and `compare`. What is heavy is imported inside a command."""

import sys
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import AsCsv, AsJson, AsMarkdown, Config, Data, Top, examples, form_of
from pipelines.settings import Settings

By = Annotated[str, typer.Option(help="all, feature, user, customer or model.")]
BRIDGE_EXAMPLES = examples(
    "tokenspread bridge 2026-11-20 2026-11-21",
    "tokenspread bridge --scenario +50% --by model",
)
COMPARE_EXAMPLES = examples("tokenspread compare 2026-11-20 2026-11-21 --by model", "tokenspread compare actual +50%")


def register(app: typer.Typer) -> None:
    app.command(epilog=BRIDGE_EXAMPLES)(bridge)
    # a scenario may be called -30%
    app.command(context_settings={"ignore_unknown_options": True}, epilog=COMPARE_EXAMPLES)(compare)


def bridge(
    first: Annotated[
        str | None, typer.Argument(metavar="FROM", help="A period: 2026-03-01..2026-03-31, 2026-03 or 2026-03-01.")
    ] = None,
    second: Annotated[str | None, typer.Argument(metavar="TO", help="Another, which may overlap it.")] = None,
    scenario: Annotated[
        str | None, typer.Option(help="From the actual cost to this scenario's, published or not, in place of periods.")
    ] = None,
    by: By = "feature", top: Top = None, as_json: AsJson = False, as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Split the change of cost between two periods into what changed it, exactly."""
    from pipelines import periods, scenario_desk
    from pipelines.report import bridge as report

    form, settings = form_of(as_json, as_csv, as_markdown), Settings.load(config, data=data)
    if scenario is not None and first is None:
        report.write(scenario_desk.bridge(settings, scenario, by), form, sys.stdout, top, settings.data)
    elif first is None or second is None or scenario is not None:
        raise UserError(f"name two periods, or a scenario with --scenario; of a period {periods.FORMS}")
    else:
        report.write(periods.bridge(settings, first, second, by), form, sys.stdout, top, settings.data)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A period, or a published scenario by its name.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    by: By = "feature", top: Top = None, as_json: AsJson = False, as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Show two periods or scenarios side by side, and the difference."""
    from pipelines import periods
    from pipelines.report import comparison

    form, settings = form_of(as_json, as_csv, as_markdown), Settings.load(config, data=data)
    comparison.write(periods.compare(settings, first, second, by), form, sys.stdout, top, settings.data)
