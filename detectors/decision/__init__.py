"""From raw scores to a decision: calibration, joining, budget, commissioning, limits."""
