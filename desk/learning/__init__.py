"""What the desk learns from verdicts: failure modes, tuned settings."""
