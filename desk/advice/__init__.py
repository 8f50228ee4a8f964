"""What to do about an alarm (advisory generation, ISO 13374): modes, checks, parts, safety notes."""
