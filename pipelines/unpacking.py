"""How much a packed file may unpack to: a few bytes of one can fill any disk."""

import io
from typing import Any, BinaryIO

from pipelines.bounds import Bounds

UNPACKED_FREELY = 64 << 20  # bytes; a few lines that are alike pack better than any log


class Allowance:
    """What a file of `packed_bytes` may become."""

    def __init__(self, packed_bytes: int, bounds: Bounds) -> None:
        self.bounds, self.byte_count = bounds, 0
        self.most = min(bounds.unpacked_bytes, max(UNPACKED_FREELY, packed_bytes * bounds.unpacked_ratio))

    def take(self, byte_count: int) -> None:
        """Raises TooMuch where that is more than is left of it."""
        self.byte_count += byte_count
        if self.byte_count > self.bounds.unpacked_bytes:
            raise self.bounds.refusal("unpacks to more than", "unpacked_bytes")
        if self.byte_count > self.most:
            raise self.bounds.refusal("unpacks to so many times its size:", "unpacked_ratio")


class Unpacked(io.RawIOBase):
    """What a packed file holds, up to the bounds. `stream` has `read`, of so many bytes at most, and `close`."""

    def __init__(self, stream: Any, packed_bytes: int, bounds: Bounds) -> None:
        self.stream, self.allowance = stream, Allowance(packed_bytes, bounds)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.stream.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size if size >= 0 else self.allowance.most + 1)
        self.allowance.take(len(data))
        return data

    def readinto(self, buffer) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Copy:
    """The lines that a file becomes, no more than it may: each row of a CSV repeats what its header says once, and a
    Parquet file has a text once that stands in a million rows."""

    def __init__(self, target: BinaryIO, packed_bytes: int, bounds: Bounds) -> None:
        self.target, self.bounds, self.allowance = target, bounds, Allowance(packed_bytes, bounds)

    def write(self, lines: bytes) -> None:
        self.allowance.take(len(lines))
        self.target.write(lines)
