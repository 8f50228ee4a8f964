"""River's LODA for a fleet."""
