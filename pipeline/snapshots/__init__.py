"""A machine's whole state as bytes, and as River objects."""
