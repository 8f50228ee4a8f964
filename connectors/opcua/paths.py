"""Browse paths as people write them: levels parted by slashes, each with a prefix for its namespace."""

from __future__ import annotations


class PathError(Exception):
    """The text is no browse path; the message says why."""


def parse_path(text: str) -> list[tuple[str, str]]:
    r"""The levels of a path: prefix ("" = none) and name. After a backslash a sign is only itself.

    >>> parse_path("plant:Hall-3/plant:Press 07/2:Temp"), parse_path(r"Input\/Output/a\:b")
    ([('plant', 'Hall-3'), ('plant', 'Press 07'), ('2', 'Temp')], [('', 'Input/Output'), ('', 'a:b')])

    Raises `PathError`.
    """
    levels: list[tuple[str, str]] = []
    prefix, name = "", ""
    signs = iter(text)
    for sign in signs:
        if sign == "\\":
            name += next(signs, "")
        elif sign == ":" and not prefix and name:
            prefix, name = name, ""
        elif sign == "/":
            levels.append((prefix, name))
            prefix, name = "", ""
        else:
            name += sign
    levels.append((prefix, name))
    if any(not level for _, level in levels):
        raise PathError(
            f"{text!r} has an empty level; write levels parted by /, as plant:Hall-3/plant:Press-07"
        )
    return levels
