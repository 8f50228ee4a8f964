"""Modbus TCP: register maps, read in blocks."""
