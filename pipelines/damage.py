"""What reading a damaged log raises, and how that is told."""

import csv
import gzip
import zlib

import zstandard

from pipelines.bounds import Unreadable
from pipelines.reader import PARSER_ERRORS

DAMAGED_BYTES = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
DAMAGED = (OSError, *DAMAGED_BYTES, Unreadable, csv.Error, UnicodeDecodeError, *PARSER_ERRORS)


def why(error: Exception) -> str:
    """Why a file could not be read, without citing what it holds (a parser's message may)."""
    if isinstance(error, Unreadable):
        return str(error)
    if "Out of Memory" in str(error):
        return "takes too much memory to read; raise [bounds] line_bytes, for which there is more"
    if isinstance(error, DAMAGED_BYTES):
        return "cut short or damaged; it is read when it is whole"
    if isinstance(error, OSError):
        return (error.strerror or "cannot be read").lower()
    return "does not parse as what it looks like"
