"""Settings of the desk, of notification and of access."""
