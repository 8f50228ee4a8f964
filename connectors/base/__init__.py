"""What every connector shares: the contracts of sources and sinks, and the read side."""
