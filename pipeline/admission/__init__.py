"""Which messages and readings are taken, and what is known of their machines."""
