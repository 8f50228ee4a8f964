"""The bench: the streaming pipeline itself on labelled recordings, beside detectors that know nothing."""
