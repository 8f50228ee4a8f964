"""Half-space trees shared by machines, as arrays; and the walk from readings to leaves.

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

PADDING = 0.15  # River's: no split in the outer 15 % of a node's range

# Pairs (reading, tree) walked at a time: the arrays of so many fit in a core's own cache.
_CHUNK = 8192

_Key = tuple[int, tuple[int, ...]] | tuple[bytes, bytes]  # seed and columns, or the nodes themselves


def draw_tree(rng: random.Random, columns: Sequence[int], height: int) -> tuple[list[int], list[float]]:
    """One tree as `river.tree.padded.make_padded_tree` draws it, from the same random numbers.

    Gives each inner node's sensor column and threshold; place 0 is not used.
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
    """The mass of every node (2 L, m, trees), numbered as in a heap, from those of the leaves (m, trees, L).

    Nodes come first, since arrays are quickest along their last axis, and a level has few nodes at the top.

    >>> all_masses(np.array([[[1, 2, 3, 4]]], dtype=np.uint8))[:, 0, 0].tolist()
    [0, 10, 3, 7, 1, 2, 3, 4]
    """
    size = leaves.shape[-1]
    out: Masses = np.empty((2 * size, *leaves.shape[:-1]), dtype=leaves.dtype)
    out[0] = 0
    out[size:] = leaves.transpose(-1, *range(leaves.ndim - 1))
    while size > 1:
        half = size // 2
        np.add(out[size : 2 * size : 2], out[size + 1 : 2 * size : 2], out=out[half:size])
        size = half
    return out


def path_scores(mass: Masses, weight: Masses, stop: int) -> Masses:
    """The sum of mass × weight down the path to each leaf, (m, trees, L).

    ``mass`` (2 L, m, trees) of every node, ``weight`` (2 L,). A path ends early at a node whose mass is
    under ``stop``; masses shrink on the way down, so a node is reached if the one above it holds enough.
    """
    nodes, m, trees = mass.shape
    total: Masses = mass * weight[:, None, None]
    below = total[2:].reshape(nodes // 2 - 1, 2, m, trees)
    below *= (mass[1 : nodes // 2] >= stop)[:, None]
    level = 1
    while 2 * level < nodes:
        children = total[2 * level : 4 * level].reshape(level, 2, m, trees)
        children += total[level : 2 * level, None]
        level *= 2
    return total[level:].transpose(1, 2, 0)


class Forests:
    """A library of forests of ``n_trees`` trees of ``height``, numbered 1, 2, … (0 = no forest).

    For the walk the nodes of all trees are kept level by level: node j (from the left) of depth d of
    tree t of forest f stands at ``(f * n_trees + t) * 2**d + j`` of level d. So the children of the node
    at g stand at 2 g and 2 g + 1 of the next level, and the walk needs no pointers.
    """

    def __init__(self, n_trees: int, height: int) -> None:
        self.n_trees, self.height, self.leaves = n_trees, height, 2**height
        self.feature: list[Ints] = [np.zeros(0, dtype=np.int64) for _ in range(height)]
        self.threshold: list[Floats] = [np.zeros(0) for _ in range(height)]
        self._number: dict[_Key, int] = {}
        self._keys: list[_Key] = []
        self._lists: dict[int, list[tuple[list[int], list[float]]]] = {}
        self._capacity = 0
        empty = np.zeros((n_trees, self.leaves))
        self._add((0, ()), empty.astype(np.int64), empty)

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

    def nodes(self, number: int) -> tuple[Ints, Floats]:
        """Sensor columns and thresholds of a forest, as `given` takes them."""
        feature = np.zeros((self.n_trees, self.leaves), dtype=np.int64)
        threshold = np.zeros((self.n_trees, self.leaves))
        for depth in range(self.height):
            here, level = self._level(number, depth)
            feature[:, level] = self.feature[depth][here].reshape(self.n_trees, -1)
            threshold[:, level] = self.threshold[depth][here].reshape(self.n_trees, -1)
        return feature, threshold

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
        if number == self._capacity:
            self._capacity = max(2, 2 * self._capacity)
            for depth in range(self.height):
                nodes = self._capacity * self.n_trees << depth
                self.feature[depth] = grown(self.feature[depth], nodes)
                self.threshold[depth] = grown(self.threshold[depth], nodes)
        for depth in range(self.height):
            here, level = self._level(number, depth)
            self.feature[depth][here] = feature[:, level].reshape(-1)
            self.threshold[depth][here] = threshold[:, level].reshape(-1)
        self._number[key] = number
        self._keys.append(key)

    def _level(self, number: int, depth: int) -> tuple[slice, slice]:
        """Where a forest's nodes of one depth stand in the level, and in each tree's heap."""
        here = slice(number * self.n_trees << depth, (number + 1) * self.n_trees << depth)
        return here, slice(2**depth, 2 ** (depth + 1))

    # -- walks

    def walk(self, x: Floats, forest: Ints) -> Ints:
        """Where each reading arrives in each tree of its forest: (n_trees, n).

        ``x`` (n, k) without missing values, ``forest`` (n,). The answer is a place in the level of leaves:
        ``(forest * n_trees + tree) * 2**height + leaf``.
        """
        n, width = x.shape
        out = np.empty((self.n_trees, n), dtype=np.int64)
        flat = np.ascontiguousarray(x).reshape(-1)
        trees = np.arange(self.n_trees)[:, None]
        step = max(1, _CHUNK // self.n_trees)
        for start in range(0, n, step):
            stop = min(n, start + step)
            shape = (self.n_trees, stop - start)
            node, index = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
            value, bound, right = np.empty(shape), np.empty(shape), np.empty(shape, dtype=bool)
            base = np.empty(shape, dtype=np.int64)
            base[:] = np.arange(start * width, stop * width, width)
            np.add(forest[start:stop] * self.n_trees, trees, out=node)
            for depth in range(self.height):
                self.feature[depth].take(node, out=index, mode="clip")
                np.add(index, base, out=index)
                flat.take(index, out=value, mode="clip")
                self.threshold[depth].take(node, out=bound, mode="clip")
                np.greater_equal(value, bound, out=right)
                np.add(node, node, out=node)
                np.add(node, right, out=node)
            out[:, start:stop] = node
        return out

    def walk_busier(self, x: Floats, forest: Ints, mass: Masses, of: Ints) -> Ints:
        """As `walk`, where values may be missing: there the walk takes the busier branch, as River's does.

        ``mass`` (2 * leaves, m, n_trees): `all_masses` of what some machines' running windows hold;
        ``of`` (n,): which of them is each reading's.
        """
        trees = np.arange(self.n_trees)[:, None]
        root = forest * self.n_trees + trees
        column = of * self.n_trees + trees
        stride = mass.shape[1] * self.n_trees
        flat, reading = mass.reshape(-1), np.arange(len(x))
        node = np.ones((self.n_trees, len(x)), dtype=np.int64)
        for depth in range(self.height):
            place = (root << depth) + (node - (1 << depth))
            value = x[reading, self.feature[depth].take(place)]
            left = 2 * node * stride + column
            busier = flat.take(left) < flat.take(left + stride)
            right = np.where(np.isnan(value), busier, value >= self.threshold[depth].take(place))
            node = 2 * node + right
        arrived: Ints = (root << self.height) + (node - self.leaves)
        return arrived

    def walk_one(
        self, x: list[float], forest: int, offset: int, mass: list[list[int]] | None = None
    ) -> list[int]:
        """``offset + tree * leaves + leaf`` of one reading in each tree: no arrays, quicker for a few.

        ``mass`` (2 * leaves, n_trees): needed when values may be missing.
        """
        if forest not in self._lists:
            feature, threshold = self.nodes(forest)
            self._lists[forest] = list(zip(feature.tolist(), threshold.tolist(), strict=True))
        leaves, out = self.leaves, []
        depths = range(self.height)
        offset -= leaves
        for tree, (features, thresholds) in enumerate(self._lists[forest]):
            node = 1
            if mass is None:
                for _ in depths:
                    node += node + (x[features[node]] >= thresholds[node])
            else:
                for _ in depths:
                    value = x[features[node]]
                    if value != value:
                        node += node + (mass[2 * node][tree] < mass[2 * node + 1][tree])
                    else:
                        node += node + (value >= thresholds[node])
            out.append(offset + node)
            offset += leaves
        return out
