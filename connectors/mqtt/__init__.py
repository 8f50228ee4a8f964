"""MQTT: topics by pattern, payloads by mapping."""
