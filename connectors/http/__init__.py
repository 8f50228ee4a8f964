"""Readings sent to us over HTTP: JSON, InfluxDB line protocol, Prometheus remote write."""
