"""`yeji connect`: sources to Kafka in one process, over a spool on disk while Kafka is away."""
