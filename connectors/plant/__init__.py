"""The plant described once: plant.toml, and what it is made from."""
