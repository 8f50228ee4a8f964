"""Distance from a baseline: what was accepted as healthy, which faults cannot move."""
