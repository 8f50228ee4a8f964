"""A machine's seed: the same on every worker and in every run, whatever order machines arrive in."""

from __future__ import annotations

from hashlib import blake2b


def machine_seed(machine: str) -> int:
    """A stable number, 0 … 2⁶³−1, from a machine's name (unlike `hash`, which differs from run to run).

    >>> machine_seed("gwangju/ggm/body/press-line-2/press-07")
    5043840881627641116
    """
    return int.from_bytes(blake2b(machine.encode(), digest_size=8).digest(), "big") >> 1
