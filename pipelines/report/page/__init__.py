"""The report as one HTML file: its figures, its charts, and how they are put together."""
