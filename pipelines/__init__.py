"""The rooms that touch the world: files, the database, the terminal, the scheduler.

A log line walks: log_files (which bytes are new) -> reader (typed records) -> transforms.shapes (calls) ->
transforms.attribution (whose) -> transforms.settlement (once) -> ledger (committed) -> transforms.price_book and
transforms.scenarios (rates) -> sql/models (figures) -> sql/checks (none broken) -> warehouse (published) -> report.
`stages` is the corridor that calls them in this order.
"""
