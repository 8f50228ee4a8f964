"""The words that people read, in every language: one catalogue for pages, messages, causes and refusals."""
