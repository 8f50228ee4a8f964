"""Real Kafka and InfluxDB 2 on this machine, without containers: fetch, build, start, stop.

For development, tests and trying out. A plant runs them from docker-compose.yml or as its own clusters.
"""

from local_services.errors import ServiceError
from local_services.influx import InfluxNode, InfluxService
from local_services.kafka import KafkaNode

__all__ = ["InfluxNode", "InfluxService", "KafkaNode", "ServiceError"]
