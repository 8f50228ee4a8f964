"""Sparkplug B: a host application that follows births, deaths and sequence numbers."""
