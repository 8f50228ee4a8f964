"""Similarity-based modelling: what each sensor should read, by remembered states."""
