"""How a file writes its numbers: which sign stands before decimals, and which parts thousands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BOTH = re.compile(r"[+-]?\d{1,3}(?:(,\d{3})+\.\d+|(\.\d{3})+,\d+)")
_ONE = re.compile(r"[+-]?(\d+)([.,])(\d+)(?:[eE][+-]?\d+)?")
_SEVERAL = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:\.\d{3}){2,})")
_GROUPED = {sign: re.compile(rf"\s*[+-]?\d{{1,3}}(?:\{sign}\d{{3}})+(?!\d)") for sign in ".,"}


class NumberError(Exception):
    """The numbers can be read in two ways; the message says which option tells."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """``decimal`` stands before decimals; ``thousands`` between groups of three digits, "" = nothing does."""

    decimal: str = "."
    thousands: str = ""

    def plain(self, cells: Sequence[str]) -> Sequence[str]:
        """The cells as Python writes numbers; what is none stays as it is.

        >>> NumberFormat(",", ".").plain(["1.480,5", "60,1", "x"])
        ['1480.5', '60.1', 'x']
        """
        if self.thousands:
            pattern = _GROUPED[self.thousands]
            cells = [cell.replace(self.thousands, "") if pattern.match(cell) else cell for cell in cells]
        if self.decimal == ",":
            cells = [cell.replace(",", ".") for cell in cells]
        return cells


def number_format(columns: Sequence[Sequence[str]], delimiter: str, decimal: str | None) -> NumberFormat:
    """How the cells of a file's columns write numbers; ``decimal`` as the user says, None = to be found out.

    A sign followed by other than three digits, or after a 0, stands before decimals; one that comes twice in
    a number parts thousands. Raises `NumberError` where ``1,480`` and ``60.123`` could each be either.

    >>> number_format([["1,480", "1,481"], ["60.1", "2.25"]], ";", None)
    NumberFormat(decimal='.', thousands=',')
    """
    sure = {".": 0, ",": 0}  # cells in which it can only stand before decimals
    either = {".": 0, ",": 0}  # three digits after it: it may part thousands
    example = {".": "", ",": ""}
    for column in columns:
        for cell in column:
            text = cell.strip()
            if _SEVERAL.fullmatch(text):
                sure["." if "," in text else ","] += 1
                either["," if "," in text else "."] += 1
            elif both := _BOTH.fullmatch(text):
                sure["." if both[1] else ","] += 1
                either["," if both[1] else "."] += 1
            elif one := _ONE.fullmatch(text):
                whole, sign, digits = one[1], one[2], one[3]
                grouped = len(digits) == 3 and len(whole) <= 3 and whole[0] != "0"
                (either if grouped else sure)[sign] += 1
                example[sign] = example[sign] or text
    if decimal is None:
        decimal = _decimal(sure, either, example, delimiter)
    other = "," if decimal == "." else "."
    return NumberFormat(decimal, other if either[other] else "")


def _decimal(sure: dict[str, int], either: dict[str, int], example: dict[str, str], delimiter: str) -> str:
    if sure["."] or sure[","]:
        return "," if sure[","] > sure["."] else "."
    if delimiter == ",":  # who parts cells by commas has them quoted between thousands
        return "."
    if either["."] and either[","]:
        raise NumberError(
            f"its numbers can be read in two ways: {example[',']!r}, {example['.']!r}. Say with --decimal . "
            "or --decimal , which sign stands before decimals; the other one parts thousands"
        )
    return "," if either[","] else "."
