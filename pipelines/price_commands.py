"""The door to prices: `tokenspread prices show|why|diff|import|export`. What is heavy is imported inside a command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import Config, Data, examples
from pipelines.settings import Settings, instant_of

app = typer.Typer(no_args_is_help=True, help="What is believed of prices, why a call costs what it costs, corrections.")

Output = Annotated[str, typer.Option("--format", help="table, csv or json.")]
AsOf = Annotated[str | None, typer.Option(help="As was believed on this date (UTC).")]


@app.command(epilog=examples("tokenspread prices show 'gpt-5*'", "tokenspread prices show --history --format csv"))
def show(
    model: Annotated[str | None, typer.Argument(help="A model, or a pattern such as gpt-5*.")] = None,
    as_of: AsOf = None,
    history: Annotated[bool, typer.Option("--history", help="Also what was believed before, and until when.")] = False,
    output: Output = "table", data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """List the rates that calls are priced with, and who says so."""
    from pipelines import price_desk
    from pipelines.report import rates

    shown = price_desk.show(Settings.load(config, data=data), model, _instant(as_of), history)
    rates.write_rates(shown.rates, history, output, sys.stdout)
    if shown.unpriced:
        _note(f"without any rate: {', '.join(shown.unpriced)}")


@app.command(epilog=examples("tokenspread prices why logs/gateway.jsonl:1"))
def why(
    call: Annotated[str, typer.Argument(help="A call_id, or its first 6 digits; a response_id; or FILE:LINE.")],
    output: Output = "table", data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Show what one call costs, line by line, and where each rate comes from."""
    from pipelines import price_desk
    from pipelines.report import call_price, rates

    explained = price_desk.why(Settings.load(config, data=data), call)
    if output == "table":
        call_price.write(explained.call, explained.lines, explained.terms, sys.stdout)
    else:
        rates.write_lines(explained.lines, output, sys.stdout)


@app.command(epilog=examples("tokenspread prices diff"))
def diff(
    litellm: Annotated[Path | None, typer.Option(help="LiteLLM's model_prices_and_context_window.json.")] = None,
    output: Output = "table", data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Show where sources of prices disagree on what the ledger uses, and what that is worth."""
    from pipelines import price_desk
    from pipelines.report import rates
    from pipelines.report.text import counted

    found = price_desk.diff(Settings.load(config, data=data), litellm)
    if found.rows.height or output != "table":
        rates.write_differences(found.rows, output, sys.stdout)
    if found.rows.height and output == "table":
        print("\nby pair of sources (what the other source would add to the published cost)")
        rates.write_totals(found.totals, sys.stdout)
    days = f"{found.first_day} to {found.last_day}" if found.first_day else "no day"
    sources = "the published prices, genai-prices, model-prices"
    compared = sources + (f" and LiteLLM ({found.litellm})" if found.litellm else "")
    rates_differ = counted(found.rows.height, "rate") + (" differs" if found.rows.height == 1 else " differ")
    _note(f"{rates_differ} in {days} (UTC), of {compared}; {found.idle_count:,} more where the ledger used nothing")
    if found.undated_call_count:
        _note(f"{counted(found.undated_call_count, 'call')} without a time: not compared")
    if found.litellm is None:
        _note(
            "LiteLLM is not compared: give --litellm model_prices_and_context_window.json, which stands in the root of "
            "github.com/BerriAI/litellm, or install the package litellm beside tokenspread"
        )


@app.command(epilog=examples("tokenspread prices export > believed.csv", "tokenspread prices export believed.csv"))
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it, to the output.")] = None,
    as_of: AsOf = None, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Write the believed rates as a price file."""
    from pipelines import price_desk
    from pipelines.report.text import counted, harmless

    exported = price_desk.export(Settings.load(config, data=data), _instant(as_of))
    if file is None:
        text, is_terminal = exported.text, sys.stdout.isatty()
        sys.stdout.write("\n".join(map(harmless, text.split("\n"))) if is_terminal else text)
    else:
        try:
            file.write_text(exported.text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{file}: cannot be written ({error.strerror}); choose another path") from None
        _note(f"{file}: {counted(exported.rate_count, 'rate')}")
    if exported.untold:
        _note(f"a price file cannot tell all that is believed of {', '.join(exported.untold)}: an import would differ")
    if exported.unsure_count:
        unsure = counted(exported.unsure_count, "rate")
        _note(f"{unsure} of no exact match ({', '.join(exported.unsure)}), see the notes: an import has them as exact")
    if exported.terms:
        _note(
            f"not in it: the contract's {', '.join(exported.terms)}; they are in the file that was given with --prices"
        )


@app.command("import", epilog=examples("tokenspread prices import prices.csv"))
def import_(
    file: Annotated[Path, typer.Argument(help="A price file, or LiteLLM's price map (JSON).")],
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Keep prices as corrections: below your own (--prices), above the catalogues, from the next build on."""
    from pipelines import price_desk
    from pipelines.report.text import counted, harmless

    taken = price_desk.import_prices(Settings.load(config, data=data), file)
    lines = [f"took        {counted(taken.rate_count, 'rate')} of {counted(len(taken.models), 'model')} as corrections"]
    if taken.former:
        lines.append(f"replaces    the {counted(taken.former_count, 'rate')} of the former import ({taken.former})")
    lines += [f"no call     is of {', '.join(taken.idle)}"] if taken.idle else []
    lines += [f"left out    {', '.join(taken.left_out)}: it has no one price of them"] if taken.left_out else []
    lines += [f"kept        {', '.join(taken.kept)}: it says nothing of them"] if taken.kept else []
    lines += [f"guessed     {', '.join(taken.exposed)}: priced like calls of another tier"] if taken.exposed else []
    gained, changed, lost = taken.gained_count, taken.changed_count, taken.lost_count
    told = f"changes     {counted(changed, 'rate')}, gains {gained:,}, loses {lost:,}"
    lines.append(f"{told} of the price book, with the next tokenspread build")
    print("\n".join(map(harmless, lines)))


def _instant(text: str | None):
    return None if text is None else instant_of(text, "--as-of")


def _note(text: str) -> None:
    from pipelines.report.text import harmless

    print(harmless(text), file=sys.stderr)
