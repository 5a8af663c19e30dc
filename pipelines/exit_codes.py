"""What a command ends with, beside 0; `tokenspread --help` says it in words."""

MISTAKE, PARTLY, CHECK, GAP, UNPRICED = 1, 3, 4, 5, 6
BUSY, INTERRUPTED = 75, 130
