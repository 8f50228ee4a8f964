"""From bytes to results: decode, admit, monitor, learn, snapshot. No transport, no clock."""
