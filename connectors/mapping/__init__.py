"""Readings out of the payloads of other systems, by settings alone."""
