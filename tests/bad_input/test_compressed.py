"""Damaged gzip and zstd files: the right calls, or the file is refused by name and nothing of it is kept."""

import struct
import zlib
from pathlib import Path

import pytest
import zstandard

from tests.bad_input.forms import FORMS, gzipped, taken, zstd_packed

FORM = FORMS["chat"]
DAMAGED = "cut short or damaged"


def log(name: str, count: int = 5) -> bytes:
    return b"".join(FORM.line(name, number) + b"\n" for number in range(1, count + 1))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def without_size(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compress(data)


def skippable(content: bytes) -> bytes:
    return struct.pack("<II", 0x184D2A50, len(content)) + content


def crc_of_another(data: bytes) -> bytes:
    return gzipped(data)[:-8] + struct.pack("<II", zlib.crc32(b"other"), len(data))


# name: (what is written, number of lines that are calls; null: the file is refused)
CASES = {
    "g1_gz_ok": (gzipped, 5),
    "g2_gz_truncated": (lambda data: gzipped(data)[:-40], None),
    "g3_gz_no_trailer": (lambda data: gzipped(data)[:-8], None),
    "g4_gz_bad_crc": (crc_of_another, None),
    "gz_bad_length": (lambda data: gzipped(data)[:-4] + b"\1\2\3\4", None),
    "g5_gz_two_members": (lambda data: gzipped(data[: len(data) // 2]) + gzipped(data[len(data) // 2 :]), 5),
    "gz_second_member_cut": (lambda data: gzipped(data) + gzipped(data)[:-9], None),
    "gz_empty_member_between": (lambda data: gzipped(data) + gzipped(b""), 5),
    "gz_trailing_zeros": (lambda data: gzipped(data) + b"\0" * 512, 5),  # of a tape or a block device
    "g6_gz_trailing_garbage": (lambda data: gzipped(data) + b"garbage", None),
    "g8_plain": (bytes, 5),
    "g9_gz_bitflip": (lambda data: flipped(gzipped(data), 60), None),
    "ga_gz_empty": (lambda data: b"", 0),
    "gb_gz_of_empty": (lambda data: gzipped(b""), 0),
    "gz_magic_only": (lambda data: b"\x1f\x8b", None),
    "gz_unknown_method": (lambda data: b"\x1f\x8b\x07" + gzipped(data)[3:], None),
    "gd_zst_ok": (zstd_packed, 5),
    "zst_no_content_size": (without_size, 5),
    "zst_two_frames": (lambda data: zstd_packed(data[:300]) + without_size(data[300:]), 5),
    "zst_skippable_between": (lambda data: zstd_packed(data[:300]) + skippable(b"x" * 99) + zstd_packed(data[300:]), 5),
    "zst_skippable_behind": (lambda data: zstd_packed(data) + skippable(b""), 5),
    "zst_truncated": (lambda data: zstd_packed(data)[:-20], None),
    "zst_checksum_missing": (lambda data: zstd_packed(data)[:-4], None),
    "zst_checksum_wrong": (lambda data: flipped(zstd_packed(data), len(zstd_packed(data)) - 1), None),
    "zst_trailing_garbage": (lambda data: zstd_packed(data) + b"garbage", None),
    "zst_trailing_zeros": (lambda data: zstd_packed(data) + b"\0" * 64, None),
    "zst_magic_only": (lambda data: b"\x28\xb5\x2f\xfd", None),
    "gz_in_gz": (lambda data: gzipped(gzipped(data)), None),
    "zst_in_gz": (lambda data: gzipped(zstd_packed(data)), None),
}  # fmt: skip
NAMES = ("log.jsonl", "log.gz", "log.zst")  # a name tells nothing


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compressed")
    (folder / "logs").mkdir()
    for name, (written, _) in CASES.items():
        for other in NAMES:
            (folder / "logs" / f"{name} {other}").write_bytes(written(log(f"{name}-{other}")))
        (folder / "logs" / f"{name} good").write_bytes(log(f"{name}-good"))
    return taken(folder / "data", folder / "logs")


@pytest.mark.parametrize("name", CASES)
def test_a_compressed_file_is_read_whole_or_refused(name: str, results) -> None:
    expected = CASES[name][1]
    for other in NAMES:
        found = results[f"{name} {other}"]
        assert not found.quarantined
        if expected is None:
            assert found.refused, "read, though it is damaged"
            assert (found.calls, found.balance) == ({}, None)
        else:
            assert found.refused is None
            assert {n: row["input_tokens"] for n, row in found.calls.items()} == dict.fromkeys(
                range(1, expected + 1), 10
            )
    assert len(results[f"{name} good"].calls) == 5


def test_a_large_file_that_is_cut_late_leaves_nothing_and_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """Its first pieces are sound: what they gave must be taken back."""
    (tmp_path / "logs").mkdir()
    for packed in (gzipped, zstd_packed):
        path = tmp_path / "logs" / packed.__name__
        whole = packed(log(packed.__name__, 20_000))
        path.write_bytes(whole[:-6])
        found = taken(tmp_path / "data", tmp_path / "logs")[path.name]
        assert DAMAGED in found.refused
        assert found.calls == {}
        path.write_bytes(whole)
        assert len(taken(tmp_path / "data", tmp_path / "logs")[path.name].calls) == 20_000


def test_a_line_of_another_format_in_a_zstd_file_costs_that_line(tmp_path: Path) -> None:
    """Such a file is looked at a second time."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.zst").write_bytes(zstd_packed(log("z") + b'{"hello":"world"}\n'))
    found = taken(tmp_path / "data", tmp_path / "logs")["log.zst"]
    assert (len(found.calls), list(found.quarantined)) == (5, [6])


def test_frames_to_be_skipped_are_skipped_in_a_zstd_file(tmp_path: Path) -> None:
    """pzstd writes one before each of its frames; any of sixteen magic numbers may begin one."""
    (tmp_path / "logs").mkdir()
    first, last = (bytes([number]) + b"\x2a\x4d\x18" for number in (0x50, 0x5F))
    packed = first + b"\4\0\0\0size" + zstd_packed(log("s")) + last + b"\0\0\0\0" + zstd_packed(log("t"))
    (tmp_path / "logs" / "log.zst").write_bytes(packed)
    assert len(taken(tmp_path / "data", tmp_path / "logs")["log.zst"].calls) == 10


def test_server_sent_events_in_a_zstd_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    events = b"".join(b"data: " + line + b"\n\n" for line in log("e").splitlines())
    (tmp_path / "logs" / "log.zst").write_bytes(zstd_packed(events))
    assert len(taken(tmp_path / "data", tmp_path / "logs")["log.zst"].calls) == 5
