"""The order of a training: each pass complete, the originals in the same order for every arm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.schedule import Schedule, order_pass

seeds = st.integers(0, 2**32 - 1)
originals = st.integers(1, 40)
variants = st.integers(0, 60)
schedules = st.builds(
    Schedule, seeds, originals, variants, steps=st.integers(1, 30), batch_size=st.integers(1, 50)
)


@given(schedules)
def test_every_batch_is_full_and_every_pass_holds_each_item_once(schedule):
    batches = list(schedule)
    assert len(batches) == len(schedule) == schedule.steps
    assert all(batch.shape == (schedule.batch_size,) for batch in batches)
    assert all(batch.dtype == np.int64 for batch in batches)
    pool = schedule.originals + schedule.variants
    items = np.concatenate(batches)
    for start in range(0, len(items) - pool + 1, pool):
        assert sorted(items[start : start + pool]) == list(range(pool))
    # The pass that the training ends in is cut short: no item of it comes twice.
    unfinished = items[len(items) - len(items) % pool :]
    assert len(set(unfinished)) == len(unfinished)


@given(schedules, st.data())
def test_a_batch_can_be_computed_alone_and_in_any_order(schedule, data):
    batches = list(schedule)
    for step in data.draw(st.permutations(range(schedule.steps))):
        order_pass.cache_clear()
        assert np.array_equal(schedule[step], batches[step])


@given(schedules)
def test_a_pass_number_counts_how_often_an_item_came_before(schedule):
    seen = np.zeros(schedule.originals + schedule.variants, int)
    for step in range(schedule.steps):
        for item, number in zip(schedule[step], schedule.passes(step), strict=True):
            assert number == seen[item]
            seen[item] += 1


@given(seeds, st.integers(0, 5), originals, variants, variants)
def test_variants_do_not_change_the_order_of_the_originals(seed, number, count, few, many):
    plain = order_pass(seed, number, count, 0)
    for extra in (few, many):
        order = order_pass(seed, number, count, extra)
        assert np.array_equal(order[order < count], plain)


def test_the_originals_of_two_experiments_meet_in_the_same_order_across_passes():
    def met(variants, steps):
        schedule = Schedule(seed=3, originals=7, variants=variants, steps=steps, batch_size=5)
        items = np.concatenate(list(schedule))
        return items[items < 7]

    with_variants, without = met(4, 33), met(0, 21)  # 15 passes of 11 items; 15 of 7
    assert np.array_equal(with_variants, without)


def test_a_pool_smaller_than_a_batch_is_gone_over_several_times_in_one_batch():
    batch = Schedule(seed=0, originals=2, variants=1, steps=1, batch_size=8)[0]
    assert [sorted(batch[:3]), sorted(batch[3:6])] == [[0, 1, 2], [0, 1, 2]]


def test_the_order_is_shuffled_differs_between_passes_and_seeds_and_mixes_in_the_variants():
    first, second, other = (order_pass(s, p, 50, 50) for s, p in ((0, 0), (0, 1), (1, 0)))
    for one, two in ((first, second), (first, other), (first, np.arange(100))):
        assert not np.array_equal(one, two)
        assert not np.array_equal(one[one < 50], two[two < 50])
    assert 10 < np.count_nonzero(first[:50] < 50) < 40


def test_every_place_in_a_pass_is_as_likely_for_every_item():
    places = np.argsort([order_pass(0, number, 5, 5) for number in range(2000)], axis=1)
    for item in range(10):
        counts = np.bincount(places[:, item], minlength=10)
        assert np.all(np.abs(counts - 200) < 5 * np.sqrt(200))


def test_a_pass_handed_out_from_the_cache_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        order_pass(0, 0, 3, 0)[0] = 9


@pytest.mark.parametrize("field", ["seed", "originals", "variants", "steps", "batch_size"])
def test_numbers_out_of_range_are_refused_by_name(field):
    numbers = {"seed": 0, "originals": 4, "variants": 0, "steps": 2, "batch_size": 3}
    least = {"originals": 1, "batch_size": 1}.get(field, 0)
    with pytest.raises(ValueError, match=f"{field} must be at least {least}, got {least - 1}"):
        Schedule(**{**numbers, field: least - 1})
    with pytest.raises(IndexError, match="batch 2 of 2"):
        Schedule(**numbers)[2]
