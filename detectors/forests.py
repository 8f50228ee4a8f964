"""Half-space trees shared by machines, as arrays; and the walk from readings to leaves.

A tree of River's HalfSpaceTrees is drawn at random and never changes: what a machine learns is only how
many readings passed each node. So machines share a small library of forests, and a machine's own cost is
its masses (docs/decisions/forest-library.md).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.base import State, grown
from detectors.batch import Floats, Ints

PADDING = 0.15  # River's: no split in the outer 15 % of a node's range

# Pairs (reading, tree) walked at a time: five arrays of so many fit in a core's own cache.
_CHUNK = 8192

_Key = tuple[int, tuple[int, ...]] | tuple[bytes, bytes]  # seed and columns, or the nodes themselves


def draw_tree(rng: random.Random, columns: Sequence[int], height: int) -> tuple[list[int], list[float]]:
    """One tree as `river.tree.padded.make_padded_tree` draws it, from the same random numbers.

    Gives each inner node's sensor column and threshold, in heap order (the children of node i are
    2 i + 1 and 2 i + 2).
    """
    feature, threshold = [0] * (2**height - 1), [0.0] * (2**height - 1)
    limits = dict.fromkeys(columns, (0.0, 1.0))

    def split(node: int, depth: int) -> None:
        if depth == height:
            return
        on = rng.choices(list(limits), weights=[high - low for low, high in limits.values()])[0]
        low, high = limits[on]
        at = rng.uniform(low + PADDING * (high - low), high - PADDING * (high - low))
        feature[node], threshold[node] = on, at
        limits[on] = (low, at)
        split(2 * node + 1, depth + 1)
        limits[on] = (at, high)
        split(2 * node + 2, depth + 1)
        limits[on] = (low, high)

    split(0, 0)
    return feature, threshold


class Forests:
    """A library of forests of ``n_trees`` trees of ``height``, numbered 0, 1, …

    The nodes of all trees are kept level by level: node j of depth d of tree t of forest f stands at
    ``(f * n_trees + t) * 2**d + j`` of level d. So the children of the node at g stand at 2 g and 2 g + 1
    of the next level, and a walk needs no pointers.
    """

    def __init__(self, n_trees: int, height: int) -> None:
        self.n_trees, self.height = n_trees, height
        self.feature = [np.zeros(0, dtype=np.int64) for _ in range(height)]
        self.threshold = [np.zeros(0) for _ in range(height)]
        self._number: dict[_Key, int] = {}
        self._keys: list[_Key] = []
        self._capacity = 0

    def __len__(self) -> int:
        return len(self._number)

    def drawn(self, seed: int, columns: tuple[int, ...]) -> int:
        """The number of the forest that River draws from ``seed`` over sensor ``columns``."""
        key = (seed, columns)
        if key not in self._number:
            rng = random.Random(seed)
            trees = [draw_tree(rng, columns, self.height) for _ in range(self.n_trees)]
            self._add(key, np.array([t[0] for t in trees]), np.array([t[1] for t in trees]))
        return self._number[key]

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

    def given(self, feature: Ints, threshold: Floats) -> int:
        """The number of a forest made elsewhere: (n_trees, 2**height - 1) each, in heap order."""
        shape = (self.n_trees, 2**self.height - 1)
        if feature.shape != shape or threshold.shape != shape:
            raise ValueError(f"a forest of shape {feature.shape} does not fit: {shape} is wanted")
        feature, threshold = feature.astype(np.int64), threshold.astype(np.float64)
        key = (feature.tobytes(), threshold.tobytes())
        if key not in self._number:
            self._add(key, feature, threshold)
        return self._number[key]

    def nodes(self, number: int) -> tuple[Ints, Floats]:
        """Sensor columns and thresholds of a forest, as `given` takes them."""
        feature, threshold = [], []
        for depth in range(self.height):
            here = slice(number * self.n_trees << depth, (number + 1) * self.n_trees << depth)
            feature.append(self.feature[depth][here].reshape(self.n_trees, -1))
            threshold.append(self.threshold[depth][here].reshape(self.n_trees, -1))
        return np.concatenate(feature, axis=1), np.concatenate(threshold, axis=1)

    def _add(self, key: _Key, feature: Ints, threshold: Floats) -> None:
        number = len(self._number)
        if number == self._capacity:
            self._capacity = max(4, 2 * self._capacity)
            for depth in range(self.height):
                nodes = self._capacity * self.n_trees << depth
                self.feature[depth] = grown(self.feature[depth], nodes)
                self.threshold[depth] = grown(self.threshold[depth], nodes)
        for depth in range(self.height):
            here = slice(number * self.n_trees << depth, (number + 1) * self.n_trees << depth)
            level = slice(2**depth - 1, 2 ** (depth + 1) - 1)
            self.feature[depth][here] = feature[:, level].reshape(-1)
            self.threshold[depth][here] = threshold[:, level].reshape(-1)
        self._number[key] = number
        self._keys.append(key)

    def leaves(self, x: Floats, forest: Ints) -> Ints:
        """The leaf, 0 … 2**height - 1, that each reading reaches in each tree of its forest: (n, n_trees).

        ``x`` (n, k) without missing values; ``forest`` (n,).
        """
        n, width = x.shape
        out = np.empty((n, self.n_trees), dtype=np.int64)
        trees = np.arange(self.n_trees)
        flat = np.ascontiguousarray(x).reshape(-1)
        step = max(1, _CHUNK // self.n_trees)
        for start in range(0, n, step):
            stop = min(n, start + step)
            node = out[start:stop]
            np.add((forest[start:stop] * self.n_trees)[:, None], trees, out=node)
            self._descend(node.reshape(-1), flat, width, start)
        out &= (1 << self.height) - 1
        return out

    def _descend(self, node: Ints, flat: Floats, width: int, start: int) -> None:
        """Walk from the roots ``node`` (p,) to the leaves, in place. ``start``: the first reading's place."""
        pairs = len(node)
        base = np.repeat(np.arange(start, start + pairs // self.n_trees) * width, self.n_trees)
        index = np.empty(pairs, dtype=np.int64)
        value, bound = np.empty(pairs), np.empty(pairs)
        right = np.empty(pairs, dtype=bool)
        for depth in range(self.height):
            self.feature[depth].take(node, out=index, mode="clip")
            np.add(index, base, out=index)
            flat.take(index, out=value, mode="clip")
            self.threshold[depth].take(node, out=bound, mode="clip")
            np.greater_equal(value, bound, out=right)
            np.add(node, node, out=node)
            np.add(node, right, out=node)

    def busier_leaves(self, x: Floats, forest: Ints, mass: NDArray[np.unsignedinteger]) -> Ints:
        """As `leaves`, where values may be missing: there the walk takes the busier branch, as River's does.

        ``mass`` (n, n_trees, 2**height): how many readings of the running window each leaf has seen.
        """
        pyramid = [mass.astype(np.int64)]
        for _ in range(self.height):
            pyramid.append(pyramid[-1][:, :, 0::2] + pyramid[-1][:, :, 1::2])
        pyramid.reverse()
        node = forest[:, None] * self.n_trees + np.arange(self.n_trees)
        place = np.zeros_like(node)
        reading, tree = np.ogrid[: len(x), : self.n_trees]
        for depth in range(self.height):
            value = x[reading, self.feature[depth][node]]
            below = pyramid[depth + 1]
            busier = below[reading, tree, 2 * place] < below[reading, tree, 2 * place + 1]
            right = np.where(np.isnan(value), busier, value >= self.threshold[depth][node])
            node, place = 2 * node + right, 2 * place + right
        return place
