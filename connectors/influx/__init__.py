"""InfluxDB 2: the sink and the read side."""
