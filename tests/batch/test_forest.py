"""Trees over columns give what they give record by record, whatever the trees are."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.columns import forest
from batch.columns.features import Column
from batch.columns.scores import column_scorer
from scoring.scorers.tree_file import Header, Nodes
from scoring.scorers.trees import Trees

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FEW, MANY = 3, 40  # categories: columns of 0 and 1, and chains
Row = dict[str, Any]


def ensemble(
    chance: np.random.Generator, *, numbers: int, categories: list[int], trees: int, **header: Any
) -> Trees:
    """Return random trees. Some ask what was asked above them; where a category has many values,
    they ask for one after another, as fitted trees do."""
    group, value = array("h"), array("d")
    left, right = array("i"), array("i")
    groups = numbers + len(categories)

    def grow(depth: int, last: int) -> int:
        place = len(group)
        leaf = depth == 0 or chance.random() < 0.1
        asked = last if last >= numbers and chance.random() < 0.7 else int(chance.integers(groups))
        group.append(-1 if leaf else asked)
        if leaf:
            value.append(float(np.float32(chance.normal())) if chance.random() < 0.9 else -0.0)
        elif asked < numbers:
            value.append(float(chance.integers(-3, 4)) / 2)
        else:
            value.append(float(chance.integers(categories[asked - numbers])))
        left.append(-1)
        right.append(-1)
        if not leaf:
            left[place] = grow(depth - 1, asked)
            right[place] = grow(depth - 1 - int(chance.integers(0, min(depth, 3))), asked)
        return place

    roots = array("i", [grow(int(chance.integers(0, 8)), -1) for _ in range(trees)])
    for side in (left, right):
        for place, below in enumerate(side):
            side[place] = len(group) if below < 0 else below
    described = Header(
        **{"link": "identity", "single": False, "base": 0.5, "scale": 0.25, **header},
        separator="=",
        numbers=[f"n{n}" for n in range(numbers)],
        categories={f"c{n}": [f"v{v}" for v in range(k)] for n, k in enumerate(categories)},
        trees=trees,
        nodes=len(group),
        importances=None,
    )
    return Trees(described, Nodes(roots, group, value, left, right))


def drawn(chance: np.random.Generator, trees: Trees, rows: int) -> list[Row]:
    """Return rows at, between and beyond the thresholds; some categories are new."""
    values = np.array([-0.0, 0.0, 1e300, -1e300, *np.arange(-8, 9) / 4])
    return [
        {name: float(chance.choice(values)) for name in trees.header.numbers}
        | {
            name: f"v{chance.integers(len(known) + 2)}"
            for name, known in trees.header.categories.items()
        }
        for _ in range(rows)
    ]


def by_columns(trees: Trees, rows: list[Row]) -> list[float]:
    """Return the scores of rows as columns."""
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in trees.header.numbers:
            columns[name] = Column(np.array(values))
        else:
            choices = sorted(set(values))
            columns[name] = Column(np.array([choices.index(value) for value in values]), choices)
    made = column_scorer(trees)
    assert made is not None
    scores: list[float] = made.score(columns).scores.tolist()
    return scores


def same(trees: Trees, rows: list[Row]) -> None:
    """Assert that columns have the scores of single records, signs of zeros included."""
    assert list(map(repr, by_columns(trees, rows))) == [repr(trees.one(row)[0]) for row in rows]


@pytest.mark.slow
@QUIET
@given(
    seed=st.integers(0, 2**32),
    numbers=st.integers(0, 3),
    categories=st.lists(st.sampled_from([1, FEW, MANY, 2 * MANY]), max_size=3),
    trees=st.integers(1, 12),
    link=st.sampled_from(["identity", "logistic"]),
    single=st.booleans(),
)
def test_any_trees_over_any_rows(
    seed: int, numbers: int, categories: list[int], trees: int, link: str, single: bool
) -> None:
    """Numbers, categories of few and of many values, none of either; sums in 32 bits and in 64."""
    chance = np.random.default_rng(seed)
    numbers = numbers or int(not categories)
    made = ensemble(
        chance, numbers=numbers, categories=categories, trees=trees, link=link, single=single
    )
    same(made, drawn(chance, made, 50))


@pytest.mark.slow
def test_blocks_of_rows_and_of_trees_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than are walked at a time, and more trees."""
    chance = np.random.default_rng(7)
    made = ensemble(chance, numbers=2, categories=[MANY, FEW], trees=20)
    rows = drawn(chance, made, 300)
    expected = [made.one(row)[0] for row in rows]
    for walkers, cells in ((100, 1 << 20), (1 << 16, 50), (7, 1 << 20)):
        monkeypatch.setattr(forest, "_WALKERS", walkers)
        monkeypatch.setattr(forest, "_CELLS", cells)
        assert by_columns(made, rows) == expected


def test_more_categories_of_few_values_than_become_columns() -> None:
    """The further ones are looked up as those of many values are."""
    chance = np.random.default_rng(3)
    made = ensemble(chance, numbers=1, categories=[30] * 6, trees=10)
    same(made, drawn(chance, made, 200))


def test_more_thresholds_than_16_bits_count() -> None:
    """Of a number that trees compare with 40,000 values, ranks take 32 bits."""
    trees, numbers = 40_000, [-1.0, 0.0, 32_766.5, 32_767.5, 39_998.5, 1e9]
    group, value = array("h"), array("d")
    for tree in range(trees):
        group.extend([tree % 100 == 99, -1, -1])
        value.extend([float(tree), 0.0, tree / 8])
    end = len(group)
    left = array("i", [n + 1 if n % 3 == 0 else end for n in range(end)])
    right = array("i", [n + 2 if n % 3 == 0 else end for n in range(end)])
    header = Header(
        link="identity", single=False, base=0.0, scale=1.0, separator="=", numbers=["n0", "n1"],
        categories={}, trees=trees, nodes=end, importances=None,
    )  # fmt: skip
    made = Trees(header, Nodes(array("i", range(0, end, 3)), group, value, left, right))
    same(made, [{"n0": one, "n1": other} for one in numbers for other in numbers])


@pytest.mark.slow
def test_keys_beyond_a_whole_number() -> None:
    """Rows are told apart also where the combinations of all features are more than 2 to the 62."""
    chance = np.random.default_rng(5)
    made = ensemble(chance, numbers=1, categories=[1 << 13] * 6, trees=5)
    same(made, drawn(chance, made, 60))
