"""Whether a sensor's values can be trusted."""
