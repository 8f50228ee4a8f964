"""Models of machine condition. Pure: no I/O, no clock, no global randomness."""
