"""Grafana: dashboards from typed builders, putting them there, and an annotation for every alarm."""
