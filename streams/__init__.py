"""The pipeline of a reading, the Faust app that runs it over Kafka, and the command `yeji`."""
