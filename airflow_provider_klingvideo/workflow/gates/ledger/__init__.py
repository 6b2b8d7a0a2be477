"""The bounded ledger of entries that exactly one writer creates."""
