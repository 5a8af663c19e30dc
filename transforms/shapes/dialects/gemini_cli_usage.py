"""How Gemini CLI counts, in its sessions and in its telemetry: `input` includes cached tokens, `output` leaves thoughts
out, and what tools put into the prompt stands apart from both. total = input + output + thoughts + tool.
Source: google-gemini/gemini-cli, packages/core (TokensSummary, ApiResponseEvent)."""

import polars as pl

from transforms.shapes.fields import known_sum


def columns(counts: dict[str, str]) -> dict[str, pl.Expr]:
    """The call columns of counts that lie at these paths; what is absent adds nothing."""
    count = {name: pl.col(path) for name, path in counts.items()}
    return {
        "input_tokens": pl.when(count["input"].is_not_null()).then(known_sum(count["input"], count["tool"])),
        "cache_read_tokens": count["cached"],
        "output_tokens": pl.when(count["output"].is_not_null()).then(known_sum(count["output"], count["thoughts"])),
        "reasoning_tokens": count["thoughts"],
    }
