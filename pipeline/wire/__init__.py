"""The wire formats: readings, waveforms, alarms, verdicts, rejections."""
