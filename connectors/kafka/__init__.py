"""Kafka: producing, topics, security."""
