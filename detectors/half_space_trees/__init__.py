"""River's HalfSpaceTrees for a fleet."""
