"""The desk's SQLite file: journal, projections, outbox."""
