"""What `yeji rejected` does: lists rejected input, keeps it in a file, takes again what was mended."""
