"""The survival ledger: faults on real services, then an account of every reading (docs/survival.md)."""
