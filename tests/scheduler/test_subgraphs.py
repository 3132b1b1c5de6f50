"""SUSHI's scheduler against brute force: the SubNet, the SubGraph, and hindsight."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler.subgraphs import (
    Answer,
    InvalidTable,
    LatencyTable,
    Query,
    Rule,
    Strict,
    SubGraph,
    SubGraphScheduler,
    SubNet,
    best_columns,
    cheapest,
    choose,
    kept,
    nearest,
    planned,
    serve_all,
    static_column,
    undominated,
)

SMALL = st.integers(0, 4)  # few values, so that ties are common
ACCURACIES = st.sampled_from((0.0, 0.25, 0.5, 1.0))
VECTORS = [st.tuples(*[SMALL.map(float)] * length) for length in range(5)]
"""By their length; to make a strategy takes longer than to draw from it."""

QUERIES = st.builds(Query, st.sampled_from(Strict), ACCURACIES, SMALL.map(float))


@st.composite
def tables(draw: st.DrawFn, most: int = 4) -> LatencyTable:
    rows, columns, length = (draw(st.integers(1, most)) for _ in range(3))
    vector, times = VECTORS[length], VECTORS[columns]
    subnets = tuple(
        SubNet(f"SN{row}", draw(ACCURACIES), draw(vector), draw(times)) for row in range(rows)
    )
    subgraphs = tuple(SubGraph(f"G{at}", draw(vector), draw(times)) for at in range(columns))
    return LatencyTable(subnets, subgraphs)


@given(tables(), QUERIES, st.data())
def test_the_subnet_is_the_best_of_all_that_keep_the_strict_limit(
    table: LatencyTable, query: Query, data: st.DataObject
) -> None:
    column = data.draw(st.integers(0, len(table.subgraphs) - 1))
    waits_ms = data.draw(SMALL.map(float))

    def worth(row: int) -> tuple[float, ...]:
        subnet = table.subnets[row]
        latency_ms = subnet.latency_ms[column]
        met = query.met_by(subnet.accuracy, latency_ms + waits_ms)
        by_latency = (latency_ms, row)
        by_accuracy = (-subnet.accuracy, latency_ms, row)
        strict_accuracy = query.policy is Strict.ACCURACY
        return (not met, *(by_latency if met is strict_accuracy else by_accuracy))

    rows = range(len(table.subnets))
    assert choose(query, table, column, waits_ms) == min(rows, key=worth)


@given(tables(), st.lists(st.integers(0, 3), min_size=1, max_size=9), st.data())
def test_what_is_cached_is_nearest_to_the_mean_of_the_served_vectors(
    table: LatencyTable, rows: list[int], data: st.DataObject
) -> None:
    served = [row % len(table.subnets) for row in rows]
    mean = [
        Fraction(sum(int(table.subnets[row].vector[at]) for row in served), len(served))
        for at in range(len(table.subgraphs[0].vector))
    ]
    apart = [
        sum((Fraction(g) - m) ** 2 for g, m in zip(subgraph.vector, mean, strict=True))
        for subgraph in table.subgraphs
    ]
    cached = data.draw(st.integers(0, len(table.subgraphs) - 1))
    assert nearest(table)(served, cached) == apart.index(min(apart))


@given(tables(), st.lists(st.integers(0, 3), min_size=1, max_size=9), st.data())
def test_by_the_table_what_is_cached_would_have_taken_least(
    table: LatencyTable, rows: list[int], data: st.DataObject
) -> None:
    served = [row % len(table.subnets) for row in rows]
    columns = range(len(table.subgraphs))
    cached = data.draw(st.sampled_from(columns))
    took = [
        sum(table.subnets[row].latency_ms[new] for row in served) + table.refill_ms(cached, new)
        for new in columns
    ]
    assert cheapest(table)(served, cached) == took.index(min(took))


@given(tables())
def test_undominated_subgraphs_are_as_good_for_any_mixture_of_subnets(table: LatencyTable) -> None:
    left = undominated(table)
    columns = range(len(table.subgraphs))
    times = {at: tuple(row.latency_ms[at] for row in table.subnets) for at in columns}
    assert len({times[at] for at in left}) == len(left)
    for at in columns:
        assert any(all(x <= y for x, y in zip(times[b], times[at], strict=True)) for b in left)
    for one in left:
        assert not any(
            times[other] != times[one]
            and all(x <= y for x, y in zip(times[other], times[one], strict=True))
            for other in columns
        )
    among = nearest(table, left)
    assert all(among([row], 0) in left for row in range(len(table.subnets)))


def replayed(
    table: LatencyTable, every: int, start: int, rule: Rule, queries: list[Query]
) -> list[Answer]:
    return list(serve_all(SubGraphScheduler(table, every, start, rule), queries))


def loss(table: LatencyTable, queries: list[Query], answers: list[Answer]) -> tuple[float, ...]:
    return (
        sum(not answer.met for answer in answers),
        sum(
            1 - table.subnets[answer.subnet].accuracy
            for query, answer in zip(queries, answers, strict=True)
            if query.policy is Strict.LATENCY
        ),
        sum(answer.latency_ms for answer in answers),
    )


@given(tables(3), st.integers(1, 3), st.lists(QUERIES, min_size=1, max_size=7), st.data())
def test_the_oracle_is_the_best_of_all_sequences_of_subgraphs(
    table: LatencyTable, every: int, queries: list[Query], data: st.DataObject
) -> None:
    columns = range(len(table.subgraphs))
    start = data.draw(st.sampled_from(columns))
    changes = (len(queries) - 1) // every
    best = min(
        loss(table, queries, replayed(table, every, start, planned(sequence), queries))
        for sequence in product(columns, repeat=changes)
    )
    found = best_columns(table, every, start, queries)
    assert loss(table, queries, replayed(table, every, start, planned(found), queries)) == best
    for rule in (nearest(table), cheapest(table), kept):
        assert loss(table, queries, replayed(table, every, start, rule, queries)) >= best


TWO = LatencyTable(
    (SubNet("small", 0.7, (1, 0), (2.0, 4.0)), SubNet("large", 0.9, (0, 3), (9.0, 6.0))),
    (SubGraph("s", (1, 0), (0.0, 1.0)), SubGraph("l", (0, 3), (2.0, 0.0))),
)


def test_the_cache_changes_after_each_q_th_query_and_the_next_one_waits_for_the_refill() -> None:
    queries = [Query(Strict.ACCURACY, 0.9, 0.0)] * 5
    answers = replayed(TWO, 2, 0, nearest(TWO), queries)
    assert [answer.subgraph for answer in answers] == [0, 0, 1, 1, 1]
    assert [answer.latency_ms for answer in answers] == [9.0, 9.0, 8.0, 6.0, 6.0]
    assert [answer.refill_ms for answer in answers] == [0.0, 0.0, 2.0, 0.0, 0.0]


def test_a_query_that_waits_for_the_refill_gets_a_subnet_for_what_is_left_of_its_time() -> None:
    queries = [Query(Strict.ACCURACY, 0.9, 0.0), *[Query(Strict.LATENCY, 0.0, 7.0)] * 2]
    answers = replayed(TWO, 1, 0, planned([1]), queries)
    assert [answer.subnet for answer in answers] == [1, 0, 1]
    assert [answer.met for answer in answers] == [True, True, True]


def test_a_scheduler_that_ignores_the_cache_chooses_as_if_another_one_were_cached() -> None:
    query = Query(Strict.LATENCY, 0.0, 7.0)
    aware = SubGraphScheduler(TWO, 9, 1, kept)
    blind = SubGraphScheduler(TWO, 9, 1, kept, blind_to=0)
    assert (aware.serve(query).subnet, blind.serve(query).subnet) == (1, 0)


def test_a_static_cache_is_the_one_of_least_latency_over_all_subnets() -> None:
    assert static_column(TWO) == 1


@pytest.mark.parametrize(
    ("subnets", "subgraphs", "said"),
    [
        ((), TWO.subgraphs, "no SubNets"),
        (TWO.subnets, (), "no SubGraphs"),
        ((TWO.subnets[0],) * 2, TWO.subgraphs, "two SubNets are called 'small'"),
        (TWO.subnets, (SubGraph("s", (1,)), TWO.subgraphs[1]), "has 2 numbers and that of s 1"),
        (TWO.subnets, TWO.subgraphs[:1], "refill needs a time|latency for each SubGraph"),
        (TWO.subnets, (SubGraph("s", (1, 0), (0.0,)), TWO.subgraphs[1]), "refill needs a time"),
    ],
)
def test_a_table_that_does_not_fit_together_is_said_so(
    subnets: tuple[SubNet, ...], subgraphs: tuple[SubGraph, ...], said: str
) -> None:
    with pytest.raises(InvalidTable, match=said):
        LatencyTable(subnets, subgraphs)
