"""Trees over one number and one category: no walk, and the scores of single records."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.columns.pieces import pieces
from scoring.scorers.tree_file import Header, Nodes
from scoring.scorers.trees import Trees
from tests.batch.test_forest import MANY, QUIET, drawn, ensemble, same

KNOWN = [f"v{n}" for n in range(MANY)]


def trees_of(roots: list[int], nodes: list[tuple[int, float, int, int]]) -> Trees:
    """Return trees over a number and a category of nodes: group, value, left, right."""
    group, value, left, right = zip(*nodes, strict=True)
    header = Header(
        link="identity", single=False, base=0.0, scale=1.0, separator="=", numbers=["n0"],
        categories={"c0": KNOWN}, trees=len(roots), nodes=len(nodes), importances=None,
    )  # fmt: skip
    sides = (array("i", [len(nodes) if n < 0 else n for n in side]) for side in (left, right))
    return Trees(header, Nodes(array("i", roots), array("h", group), array("d", value), *sides))


@pytest.mark.slow
@QUIET
@given(
    seed=st.integers(0, 2**32),
    rows=st.sampled_from([1, 7, 60, 1500]),
    single=st.booleans(),
    trees=st.integers(1, 12),
)
def test_any_trees_over_any_rows(seed: int, rows: int, single: bool, trees: int) -> None:
    """Fewer rows than pieces and more; sums in 32 bits and in 64."""
    chance = np.random.default_rng(seed)
    made = ensemble(chance, numbers=1, categories=[10 * MANY], trees=trees, single=single, base=0.5)
    same(made, drawn(chance, made, rows))


@pytest.mark.parametrize(("numbers", "categories"), [(1, [MANY]), (1, []), (0, [MANY])])
def test_trees_over_one_number_and_one_category_are_not_walked(
    numbers: int, categories: list[int]
) -> None:
    """Either may be lacking."""
    chance = np.random.default_rng(2)
    made = ensemble(chance, numbers=numbers, categories=categories, trees=1)
    assert pieces(made.header, made.nodes) is not None
    same(made, drawn(chance, made, 300))


def test_features_that_no_tree_asks_for_do_not_count() -> None:
    """A header may name more of them than the trees ask for."""
    made = trees_of([0, 1], [(-1, 2.5, -1, -1), (-1, -0.5, -1, -1)])
    wider = made.header.model_copy(update={"numbers": ["n0", "n1"]})
    assert pieces(wider, made.nodes) is not None
    same(made, [{"n0": 1.0, "c0": "v3"}, {"n0": 2.0, "c0": "new"}])


@pytest.mark.parametrize(("numbers", "categories"), [(2, [MANY]), (1, [MANY, MANY])])
def test_trees_over_more_features_are_walked(numbers: int, categories: list[int]) -> None:
    """What is one run of rows there is many here."""
    made = ensemble(np.random.default_rng(4), numbers=numbers, categories=categories, trees=9)
    assert pieces(made.header, made.nodes) is None


def test_trees_that_ask_again_for_a_category_are_walked() -> None:
    """No library writes such trees: two pieces of the category would lie in each other."""
    again = trees_of(
        [0], [(1, 3.0, 1, 4), (1, 3.0, 2, 3), (-1, 1.0, -1, -1), (-1, 2.0, -1, -1),
              (-1, 4.0, -1, -1)],
    )  # fmt: skip
    assert pieces(again.header, again.nodes) is None
    same(again, [{"n0": 1.0, "c0": name} for name in ("v3", "v4", "new")])


def test_pieces_that_touch_and_pieces_with_a_gap() -> None:
    """Between two pieces of one category it is like any other; behind its last piece as well."""
    nodes = [
        (0, 2.0, 1, 6),  # at most 2: is it v5? more than 2: at most 4?
        (0, 1.0, 2, 5), (1, 5.0, 3, 4), (-1, 0.1, -1, -1), (-1, 0.2, -1, -1), (-1, 0.3, -1, -1),
        (0, 4.0, 7, 10), (1, 5.0, 8, 9), (-1, 0.4, -1, -1), (-1, 0.5, -1, -1),
        (1, 5.0, 11, 12), (-1, 0.6, -1, -1), (-1, 0.7, -1, -1),
    ]  # fmt: skip
    made = trees_of([0], nodes)
    assert pieces(made.header, made.nodes) is not None
    numbers = [0.0, 1.0, 1.5, 2.0, 2.5, 4.0, 4.5, 1e9]
    for few in (numbers, numbers * 50):
        same(made, [{"n0": n, "c0": name} for n in few for name in ("v4", "v5", "v6", "new")])
