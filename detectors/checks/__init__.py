"""What a monitor relies on in every kind of detector, as checks that can be run on any of them."""
