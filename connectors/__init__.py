"""The outside world, one module a system: sources of readings and sinks of results."""
