"""What a reader sees: tables on the terminal, plain text, JSON. Nothing here computes a figure."""
