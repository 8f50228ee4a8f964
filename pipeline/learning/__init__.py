"""What is learned of readings and verdicts, and how it is taken back."""
