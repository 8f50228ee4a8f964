"""Pickles of River models that can be read back without letting whoever wrote them run code.

A pickle may name any function and have it called. Here only classes of River's own modules and a short
list of plain ones may be named, and a checksum tells damage. Snapshots come from a Kafka topic or a file:
who may write there can change what the models know, but not what this process does.
"""

from __future__ import annotations

import io
import pickle
import zlib
from hashlib import blake2b
from importlib import import_module
from typing import Any

_DIGEST = 16

# Beside River's classes: what its models are made of.
_PLAIN = {
    *(("builtins", name) for name in ("dict", "list", "set", "frozenset", "tuple", "bytes", "str")),
    *(("builtins", name) for name in ("bool", "int", "float", "complex")),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("collections", "Counter"),
    ("collections", "OrderedDict"),
    ("functools", "partial"),  # of what may be named, so of these classes only
    ("random", "Random"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
}
# Parts of River that read files or the network.
_CLOSED = ("river.datasets", "river.stream", "river.compat")


def pack(model: Any) -> bytes:
    """``model`` as bytes for `unpack`."""
    body = zlib.compress(pickle.dumps(model, protocol=5), 6)
    return blake2b(body, digest_size=_DIGEST).digest() + body


def unpack(data: bytes) -> Any:
    """What `pack` wrote. ValueError when it is damaged, or names something that a model is not made of.

    >>> unpack(pack({"a": [1.5, None]}))
    {'a': [1.5, None]}
    >>> unpack(pack(print))
    Traceback (most recent call last):
    ValueError: the saved model names builtins.print, which no River model is made of: it is not taken
    """
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise ValueError("the saved model is damaged: its checksum does not fit")
    try:
        return _Unpickler(io.BytesIO(zlib.decompress(body))).load()
    except (pickle.UnpicklingError, zlib.error, EOFError, AttributeError, ImportError, TypeError) as error:
        raise ValueError(f"the saved model cannot be read, perhaps by this River: {error}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        refused = ValueError(
            f"the saved model names {module}.{name}, which no River model is made of: it is not taken"
        )
        if (module, name) in _PLAIN:
            return getattr(import_module(module), name)
        if not module.startswith(("river.", "_river_rust")) or module.startswith(_CLOSED) or "." in name:
            raise refused
        found = getattr(import_module(module), name)
        if not isinstance(found, type):
            raise refused
        return found
