"""What is fuzzed: for each target a check of some bytes, the bytes to begin with, and how they are changed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from fuzz import folders, logs, mappings, mutations, small_files, values
from transforms.shapes import ORDER

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
SAMPLES = ROOT / "sample_logs"
SEED_BYTES, SEED_LINES = 12_000, 4


@dataclass(frozen=True)
class Target:
    """`check` raises for bytes that show a defect."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, Random], bytes]

    def kept(self) -> list[Path]:
        """The inputs that are kept in the repository, a defect that was mended behind each `mended-`."""
        return sorted((CORPUS / self.name).glob("*"))


def _samples_of(shape: str) -> list[bytes]:
    """The samples of the shape, a few lines in one piece."""
    names = (f"shapes/{shape}.*", f"support_desk/{shape}.jsonl", f"support_desk/{shape}/*.jsonl")
    paths = sorted(path for name in names for path in SAMPLES.glob(name))
    paths = paths or [SAMPLES / "support_desk" / "support_desk_litellm.jsonl"]
    lines = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
    pieces = [b"".join(lines[start : start + SEED_LINES]) for start in range(0, min(len(lines), 60), SEED_LINES)]
    return [piece for piece in pieces if len(piece) <= SEED_BYTES] or pieces[:1]


SHAPES = [
    Target(shape.name, partial(logs.check, shape.name), partial(_samples_of, shape.name), mutations.mutate)
    for shape in ORDER
]
OTHERS = [
    Target("tokenspread.toml", mappings.check, mappings.seeds, mappings.mutate),
    Target("folder", folders.check, folders.seeds, folders.mutate),
    Target("values", values.check, values.seeds, values.mutate),
    Target("prices", small_files.check_prices, small_files.price_seeds, small_files.mutate),
    Target("revenue", small_files.check_revenue, small_files.revenue_seeds, small_files.mutate),
    Target("scenarios", small_files.check_scenarios, small_files.scenario_seeds, small_files.mutate),
]
TARGETS = {target.name: target for target in (*OTHERS, *SHAPES)}
