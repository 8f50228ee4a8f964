"""The embedded run: the pipeline in one process, without a broker."""
