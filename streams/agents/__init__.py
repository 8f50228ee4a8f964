"""The stream worker: the pipeline as a Faust app on Kafka (docs/worker.md)."""
