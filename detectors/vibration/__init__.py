"""Features of vibration waveforms, bearing frequencies, and ISO 20816-3 zones."""
