"""Files that others drop into a folder: read once, then moved."""
