"""A machine's slow health, its wear from commissioning, and its time to threshold."""
