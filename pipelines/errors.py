"""What a run tells its user in a line, by what they can do about it."""


class UserError(Exception):
    """A mistake that the user can mend; the message names the place, the fact and the fix."""


class LedgerBusy(UserError):
    """Another run holds the ledger's lock."""


class NotPublished(Exception):
    """What was built is not to be published, and was not: the message says why."""


class GateClosed(NotPublished):
    """The gate has reasons against what was built."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons) + "; to publish it all the same: tokenspread nightly --accept")
        self.reasons = reasons


class StorageTrouble(UserError):
    """The disk of the data folder refuses: full, read-only, failing. Nothing was committed; a later run can do it."""
