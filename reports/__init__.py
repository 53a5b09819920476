"""Reports built from saved results: the claims ledger, the figures and the interactive page."""
