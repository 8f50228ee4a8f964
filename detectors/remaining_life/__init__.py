"""Remaining useful life, learned from runs to failure."""
