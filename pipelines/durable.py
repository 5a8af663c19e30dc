"""What makes a file, or the entries of a folder, outlast a loss of power."""

import os
from pathlib import Path


def fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
