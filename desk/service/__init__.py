"""The desk at work: acts and questions, the clock, alarms in, verdicts out."""
