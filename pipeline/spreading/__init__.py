"""What one site has learned, for another: priors, examples, lives."""
