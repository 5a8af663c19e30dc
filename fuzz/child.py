"""One target in a process of its own: python -m fuzz.child TARGET SECONDS FOLDER.

FOLDER gets `corpus/` (inputs that reach new code), `input` (what is being checked: still there if the process dies),
`crash-*` (as libFuzzer keeps them).
"""

import os
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["pipelines", "transforms"]):
    from fuzz.targets import TARGETS

MOST_BYTES = 32_000


def main(name: str, seconds: str, folder: Path) -> None:
    target = TARGETS[name]
    corpus, seeds = folder / "corpus", folder / "seeds"
    for some in (corpus, seeds):
        some.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / str(number)).write_bytes(seed)
    current = os.open(folder / "input", os.O_CREAT | os.O_RDWR)

    def check(data: bytes) -> None:
        os.ftruncate(current, 0)
        os.pwrite(current, data, 0)
        target.check(data)

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.1:
            return atheris.Mutate(data, most_bytes)
        return target.mutate(data, random)[:most_bytes]

    options = [
        *(f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=120", "-rss_limit_mb=6000"),
        *("-print_final_stats=1", "-len_control=0", f"-artifact_prefix={folder}/"),
    ]
    paths = [corpus, seeds, *([target.kept()[0].parent] if target.kept() else [])]
    atheris.Setup([sys.argv[0], *options, *map(str, paths)], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
