"""The alarm desk: rules, store, service, notification, learning from verdicts, web."""
