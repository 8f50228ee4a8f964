"""JSON lines from standard input."""
