"""Half-space trees shared by machines, as arrays.

A tree of River's HalfSpaceTrees is drawn at random and never changes: what a machine learns is only how
many readings passed each node. So machines share a small library of forests, and a machine's own cost is
its masses (docs/decisions/forest-library.md).

Inside a tree nodes are numbered as in a heap: the root is 1, the children of node i are 2 i and 2 i + 1,
and the leaves of a tree of height h are 2**h … 2**(h + 1) - 1, from left to right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.base import State, grown
from detectors.batch import Floats, Ints

Masses = NDArray[np.unsignedinteger]
Columns = NDArray[np.uint16]

PADDING = 0.15  # River's: no split in the outer 15 % of a node's range

_Key = tuple[int, tuple[int, ...]] | tuple[bytes, bytes]  # seed and columns, or the nodes themselves


def draw_tree(rng: random.Random, columns: Sequence[int], height: int) -> tuple[list[int], list[float]]:
    """One tree as `river.tree.padded.make_padded_tree` draws it, from the same random numbers.

    Returns each inner node's sensor column and threshold; place 0 is not used.
    """
    feature, threshold = [0] * 2**height, [0.0] * 2**height
    limits = dict.fromkeys(columns, (0.0, 1.0))

    def split(node: int, depth: int) -> None:
        if depth == height:
            return
        on = rng.choices(list(limits), weights=[high - low for low, high in limits.values()])[0]
        low, high = limits[on]
        at = rng.uniform(low + PADDING * (high - low), high - PADDING * (high - low))
        feature[node], threshold[node] = on, at
        limits[on] = (low, at)
        split(2 * node, depth + 1)
        limits[on] = (at, high)
        split(2 * node + 1, depth + 1)
        limits[on] = (low, high)

    split(1, 0)
    return feature, threshold


def all_masses(leaves: Masses) -> Masses:
    """The mass of every node (…, 2 L), numbered as in a heap, from those of the leaves (…, L).

    >>> all_masses(np.array([1, 2, 3, 4], dtype=np.uint8)).tolist()
    [0, 10, 3, 7, 1, 2, 3, 4]
    """
    size = leaves.shape[-1]
    out: Masses = np.zeros((*leaves.shape[:-1], 2 * size), dtype=leaves.dtype)
    out[..., size:] = leaves
    while size > 1:
        half = size // 2
        out[..., half:size] = out[..., size : 2 * size : 2] + out[..., size + 1 : 2 * size : 2]
        size = half
    return out


class Forests:
    """A library of forests of ``n_trees`` trees of ``height``, numbered 1, 2, … (0 = no forest).

    ``feature`` and ``threshold`` (f, n_trees, 2**height): each inner node's sensor column, and from which
    value on the walk goes right. They are replaced when the library grows.
    """

    def __init__(self, n_trees: int, height: int) -> None:
        self.n_trees, self.height, self.leaves = n_trees, height, 2**height
        self.feature: Columns = np.zeros((1, n_trees, self.leaves), dtype=np.uint16)
        self.threshold: Floats = np.zeros((1, n_trees, self.leaves))
        self._number: dict[_Key, int] = {}
        self._keys: list[_Key] = [(0, ())]

    def __len__(self) -> int:
        return len(self._keys) - 1

    # -- the library

    def drawn(self, seed: int, columns: tuple[int, ...]) -> int:
        """The number of the forest that River draws from ``seed`` over sensor ``columns``."""
        key = (seed, columns)
        if key not in self._number:
            rng = random.Random(seed)
            trees = [draw_tree(rng, columns, self.height) for _ in range(self.n_trees)]
            self._add(key, np.array([t[0] for t in trees]), np.array([t[1] for t in trees]))
        return self._number[key]

    def given(self, feature: Ints, threshold: Floats) -> int:
        """The number of a forest made elsewhere: (n_trees, 2**height) each, numbered as in a heap."""
        shape = (self.n_trees, self.leaves)
        if feature.shape != shape or threshold.shape != shape:
            raise ValueError(f"a forest of shape {feature.shape} does not fit: {shape} is wanted")
        feature, threshold = feature.astype(np.int64), threshold.astype(np.float64)
        key = (feature.tobytes(), threshold.tobytes())
        if key not in self._number:
            self._add(key, feature, threshold)
        return self._number[key]

    def nodes(self, number: int) -> tuple[Columns, Floats]:
        """Sensor columns and thresholds of a forest, as `given` takes them."""
        return self.feature[number], self.threshold[number]

    def dump(self, number: int) -> State:
        """What `load` makes the same forest from: its seed and columns, or, made elsewhere, its nodes."""
        key = self._keys[number]
        if isinstance(key[0], int):
            return {"seed": np.array([key[0]]), "columns": np.array(key[1], dtype=np.int64)}
        feature, threshold = self.nodes(number)
        return {"feature": feature.astype(np.int16), "threshold": threshold}

    def load(self, state: State) -> int:
        """The number of the forest that `dump` wrote."""
        if "feature" in state:
            return self.given(state["feature"], state["threshold"])
        return self.drawn(int(state["seed"][0]), tuple(state["columns"].tolist()))

    def _add(self, key: _Key, feature: Ints, threshold: Floats) -> None:
        number = len(self._keys)
        if number == len(self.feature):
            self.feature, self.threshold = grown(self.feature, 2 * number), grown(self.threshold, 2 * number)
        self.feature[number], self.threshold[number] = feature, threshold
        self._number[key] = number
        self._keys.append(key)
