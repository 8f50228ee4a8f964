"""What an operator's command cannot do."""

from __future__ import annotations


class OperatorError(Exception):
    """A command on the running system cannot be carried out; the message says why and what to do."""
