"""The door to scenarios: `tokenspread reprice` and `swap`. What is heavy is imported inside a command."""
