"""Readings as Parquet files, to hand on."""
