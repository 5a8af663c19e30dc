"""zstd as a stream that says when the file is cut short: the library's own reader ends there without a word."""

from typing import Any, BinaryIO

import zstandard

from pipelines.bounds import TooMuch, sized

# of a frame, and of those to be skipped, such as pzstd writes first (RFC 8878, 3.1.1 and 3.1.2)
ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([number]) + b"\x2a\x4d\x18" for number in range(0x50, 0x60)))
READ_BYTES = 1 << 10  # four bytes may unpack to 128 KiB, and what is read at once is unpacked at once
WINDOW_BYTES = 128 << 20  # what a frame refers back to is held in memory; `zstd` itself unpacks no more unless told to


class ZstdStream:
    """The decompressed bytes of all frames. `read` raises EOFError where the last frame is not whole, ZstdError where
    one is damaged, TooMuch where one needs too much memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.frame = _frame()
        self.packed, self.ahead = b"", bytearray()

    def close(self) -> None:
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
                raise EOFError("ends within a frame")
            return False
        if self.frame.eof:
            self.frame = _frame()
        try:
            self.ahead += self.frame.decompress(packed)
        except zstandard.ZstdError as error:
            if "too much memory" not in str(error):
                raise
            fact = f"its zstd window is larger than {sized(WINDOW_BYTES)}"
            raise TooMuch(f"{fact}; pack it again without --long") from None
        self.packed = self.frame.unused_data if self.frame.eof else b""
        return True


def _frame() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES).decompressobj()
