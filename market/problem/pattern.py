"""A sparse matrix whose pattern is fixed and whose values change: blocks of (row, column) named once."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.compiled import compiled


@dataclass(frozen=True)
class Pattern:
    """Sparsity pattern made of named blocks of entries; entries at the same place add up.

    Attributes
    ----------
    names : tuple of str
        Blocks, in order.
    sizes : tuple of int
        Entries of each block.
    position : ndarray of int, shape (n_entry,)
        Place of each entry in the data of the matrix; -1 for entries outside it.
    indices, indptr : ndarray of int
        Pattern in compressed sparse row form.
    shape : tuple of int
        Rows and columns.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    position: IntArray
    indices: IntArray
    indptr: IntArray
    shape: tuple[int, int]

    @cached_property
    def _empty(self) -> sp.csr_matrix:
        """A matrix of this pattern, whose making takes longer than its filling."""
        return sp.csr_matrix((np.zeros(len(self.indices)), self.indices, self.indptr), shape=self.shape)

    def matrix(self, values: Mapping[str, FloatArray | float]) -> sp.csr_matrix:
        """Fill the pattern: one array (or one number) for each named block."""
        flat, end = np.empty(len(self.position)), 0
        for name, size in zip(self.names, self.sizes, strict=True):
            start, end = end, end + size
            flat[start:end] = values[name]
        matrix = copy(self._empty)
        matrix.data = _added_up(self.position, flat, len(self.indices))
        return matrix


@compiled
def _added_up(position: IntArray, values: FloatArray, n: int) -> FloatArray:
    """Add values up at their positions, shape (n,); those with a negative one are dropped."""
    total = np.zeros(n)
    for k in range(len(values)):
        if position[k] >= 0:
            total[position[k]] += values[k]
    return total


def pattern(blocks: Mapping[str, tuple[IntArray, IntArray]], shape: tuple[int, int]) -> Pattern:
    """Fix the pattern of named blocks of (rows, columns); entries with a negative place are dropped.

    Parameters
    ----------
    blocks : mapping of str to (ndarray of int, ndarray of int)
        Rows and columns of the entries of each block, of equal length.
    shape : tuple of int
        Rows and columns of the matrix.
    """
    rows = np.concatenate([np.asarray(row) for row, _ in blocks.values()])
    cols = np.concatenate([np.asarray(col) for _, col in blocks.values()])
    kept = (rows >= 0) & (cols >= 0)
    places, inverse = np.unique(rows[kept] * shape[1] + cols[kept], return_inverse=True)
    position = np.full(len(rows), -1, dtype=np.int64)
    position[kept] = inverse
    counts = np.bincount(places // shape[1], minlength=shape[0])
    return Pattern(
        names=tuple(blocks),
        sizes=tuple(len(row) for row, _ in blocks.values()),
        position=position,
        indices=(places % shape[1]).astype(np.intc),
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.intc),
        shape=shape,
    )
