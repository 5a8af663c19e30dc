"""zstd as a stream that says when the file is cut short: the library's own reader ends there without a word."""

from pathlib import Path

import zstandard

READ_BYTES = 1 << 14


class ZstdStream:
    """The decompressed bytes of all frames. `read` raises EOFError where the last frame is not whole, ZstdError where
    one is damaged."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.frame = zstandard.ZstdDecompressor().decompressobj()
        self.packed, self.ahead = b"", bytearray()

    def __enter__(self) -> "ZstdStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, size: int) -> bytes:
        while len(self.ahead) < size and self._unpack_more():
            pass
        taken = bytes(self.ahead[:size])
        del self.ahead[:size]
        return taken

    def _unpack_more(self) -> bool:
        packed = self.packed or self.file.read(READ_BYTES)
        if not packed:
            if not self.frame.eof:
                raise EOFError(f"{self.file.name} ends within a frame")
            return False
        if self.frame.eof:
            self.frame = zstandard.ZstdDecompressor().decompressobj()
        self.ahead += self.frame.decompress(packed)
        self.packed = self.frame.unused_data if self.frame.eof else b""
        return True
