"""Records on disk while they cannot be delivered: bounded, counted, in order, safe after a power cut."""
