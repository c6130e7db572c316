"""Who is meant by whom: one-to-one pairs of greatest total worth."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def best_pairs(worth: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """(row, column) pairs, each row and column at most once, of the greatest sum of `worth`; 0 is no pair.

    The assignment method of Kuhn and Munkres with shortest augmenting paths (Jonker and Volgenant 1987); among equals
    the leftmost free column. Takes rows² × (rows + columns) steps.
    """
    rows, columns = len(worth), len(worth[0]) if worth else 0
    if not rows or not columns:
        return []
    alone = [0.0] * rows  # columns of worth 0: a row may stay single
    seats = _Seats([[-w for w in row] + alone for row in worth])
    for row in range(rows):
        seats.take(row)
    pairs = [(seats.holder[c], c) for c in range(columns)]
    return [(r, c) for r, c in pairs if r >= 0 and worth[r][c] > 0]


class _Seats:
    """Columns and who holds them; prices keep every pair so far at its least cost."""

    def __init__(self, cost: list[list[float]]) -> None:
        self._cost = cost
        self._row_price = [0.0] * len(cost)
        self._column_price = [0.0] * len(cost[0])
        self.holder = [-1] * len(cost[0])

    def take(self, newcomer: int) -> None:
        """Seats one more row; others move along the cheapest chain that ends in a free column."""
        slack = [inf] * len(self.holder)
        before = [-1] * len(self.holder)  # the column whose holder would move to this one; -1: the newcomer
        outside = list(range(len(self.holder)))
        reached: list[int] = []
        row, column = newcomer, -1
        while True:
            costs, price = self._cost[row], self._row_price[row]
            for c in outside:
                reduced = costs[c] - price - self._column_price[c]
                if reduced < slack[c]:
                    slack[c], before[c] = reduced, column
            column = min(outside, key=slack.__getitem__)
            self._shift(slack[column], newcomer, reached, outside, slack)
            outside.remove(column)
            reached.append(column)
            row = self.holder[column]
            if row < 0:
                break
        while column >= 0:
            self.holder[column] = newcomer if before[column] < 0 else self.holder[before[column]]
            column = before[column]

    def _shift(
        self, by: float, newcomer: int, reached: Sequence[int], outside: Sequence[int], slack: list[float]
    ) -> None:
        self._row_price[newcomer] += by
        for c in reached:
            self._row_price[self.holder[c]] += by
            self._column_price[c] -= by
        for c in outside:
            slack[c] -= by
