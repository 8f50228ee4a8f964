"""Print constraints.txt: the exact versions, installed here, of all that yeji asks for (run: make lock).

Follows the requirements of yeji and its extras through the installed packages' metadata, so that what
happens to lie in the environment besides does not get in.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

ROOT = "yeji"
EXTRAS = ("dev", "bench")
HEADER = "# Made by `make lock` from pyproject.toml (extras dev, bench). Used by every install: repeatable."


def normal(name: str) -> str:
    """A package's name as indexes write it.

    >>> normal("Foo_Bar.baz")
    'foo-bar-baz'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(root: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Name and version of everything that ``root`` with ``extras`` needs on this machine, itself left out.

    Raises PackageNotFoundError for something that is needed and not installed.
    """
    seen: set[tuple[str, str]] = set()
    versions: dict[str, str] = {}
    waiting = [(normal(root), extra) for extra in ("", *extras)]
    while waiting:
        name, extra = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        found = distribution(name)
        versions[name] = found.version
        for line in found.requires or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += [(normal(wanted.name), more) for more in ("", *wanted.extras)]
    del versions[normal(root)]
    return versions


def main() -> int:
    """Print the list, sorted."""
    try:
        versions = closure(ROOT, EXTRAS)
    except PackageNotFoundError as error:
        print(f"{error.name} is needed and not installed here. Run `make install` first.", file=sys.stderr)
        return 1
    print(HEADER)
    for name, version in sorted(versions.items()):
        print(f"{name}=={version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
