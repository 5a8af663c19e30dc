"""How much a packed file may unpack to: a few bytes of one can fill any disk."""

import io
from typing import BinaryIO

from pipelines.bounds import Bounds

UNPACKED_FREELY = 64 << 20  # bytes; a few lines that are alike pack better than any log


class Unpacked(io.RawIOBase):
    """What a packed file holds, up to the bounds."""

    def __init__(self, stream: BinaryIO, packed_bytes: int, bounds: Bounds) -> None:
        self.stream, self.packed_bytes, self.bounds, self.byte_count = stream, packed_bytes, bounds, 0
        self.most = most_unpacked(packed_bytes, bounds)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.stream.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size if size >= 0 else self.most + 1)
        self.byte_count += len(data)
        if self.byte_count > self.most:
            refuse_unpacked(self.byte_count, self.packed_bytes, self.bounds)
        return data

    def readinto(self, buffer) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def most_unpacked(packed_bytes: int, bounds: Bounds) -> int:
    """Bytes that a file of `packed_bytes` may become."""
    return min(bounds.unpacked_bytes, max(UNPACKED_FREELY, packed_bytes * bounds.unpacked_ratio))


def refuse_unpacked(byte_count: int, packed_bytes: int, bounds: Bounds) -> None:
    """Raises TooMuch where so many bytes are more than such a file may become."""
    if byte_count > bounds.unpacked_bytes:
        raise bounds.refusal("unpacks to more than", "unpacked_bytes")
    if byte_count > most_unpacked(packed_bytes, bounds):
        raise bounds.refusal("unpacks to so many times its size:", "unpacked_ratio")
