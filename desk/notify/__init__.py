"""Telling people: what is due is written into a durable outbox, and from there sent by each channel."""
