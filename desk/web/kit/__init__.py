"""What every page shares: templates, styles, live updates, security headers."""
