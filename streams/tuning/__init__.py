"""What other settings would have done."""
