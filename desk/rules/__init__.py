"""The alarm desk's logic: the life of alarms, whom to tell and when, verdicts, figures. No I/O, no clock."""
