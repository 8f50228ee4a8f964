"""Multivariate statistical process control, online."""
