"""Balancing and splitting: shares, strata, whole groups; and refusals that say what to do."""

from collections import Counter

import imagehash
import numpy as np
import pytest
from conftest import run_to, write_params
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from pipeline.dataset.duplicates import find_near_duplicates, merge_groups
from pipeline.dataset.splits import (
    check_parts,
    choose_share,
    find_uneven,
    split_folds,
    split_shares,
    undersample,
)
from pipeline.errors import DataError


def text(values):
    return np.array([str(value) for value in values], object)


def make_pages(pages=60, seed=0):
    """Return labels and groups of pages that hold one or two of each of four classes."""
    dice = np.random.default_rng(seed)
    rows = [
        (label, f"page {page}")
        for page in range(pages)
        for label in "abcd"
        for _ in range(dice.integers(1, 3))
    ]
    labels, groups = zip(*rows, strict=True)
    return text(labels), text(groups)


def test_undersampling_goes_to_the_smallest_class():
    labels = text("aaaaaabbbbccc")
    kept = undersample(labels, text(range(13)), None, seed=1)
    assert Counter(labels[kept]) == {
        "a": 3,
        "b": 3,
        "c": 3,
    }


def test_undersampling_to_a_number_keeps_classes_that_are_smaller():
    labels = text("aaaaaabbbbcc")
    kept = undersample(labels, text(range(12)), 3, seed=1)
    assert Counter(labels[kept]) == {
        "a": 3,
        "b": 3,
        "c": 2,
    }


def test_undersampling_draws_by_the_seed_alone():
    labels = text("ab" * 50 + "a" * 50)
    first, again, other = (undersample(labels, text(range(150)), 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_shares_are_met_in_every_class():
    labels = text(["cat"] * 120 + ["dog"] * 80)
    [parts] = split_shares(labels, text(range(200)), test=0.25, val=0.1, seed=1).folds
    for name, total in (("cat", 120), ("dog", 80)):
        counts = Counter(parts[labels == name])
        assert counts == {"test": 0.25 * total, "val": 0.1 * total, "train": 0.65 * total}


@given(seed=st.integers(0, 1000), test=st.floats(0.1, 0.4), val=st.floats(0.05, 0.3))
@settings(max_examples=25)
def test_groups_are_never_torn_and_classes_are_everywhere(seed, test, val):
    labels, groups = make_pages(seed=seed)
    [parts] = split_shares(labels, groups, test=test, val=val, seed=seed).folds
    for group in set(groups):
        assert len(set(parts[groups == group])) == 1
    check_parts(labels, parts, list("abcd"), ["train", "val", "test"])
    assert abs((parts == "test").mean() - test) < 0.08
    assert abs((parts == "val").mean() - val) < 0.08


def make_writers(count, seed):
    """Return labels and groups of writers who wrote 40 to 110 of ten digits."""
    dice = np.random.default_rng(seed)
    sizes = dice.integers(40, 110, count)
    labels = np.concatenate([dice.permutation(np.resize(np.arange(10), size)) for size in sizes])
    return text(labels), text(np.repeat([f"writer {number}" for number in range(count)], sizes))


def make_class_pages(count, seed):
    """Return labels and groups of pages full of one digit each, 10 to 40 of it."""
    dice = np.random.default_rng(seed)
    sizes = dice.integers(10, 40, count)
    pages = np.arange(count)
    return text(np.repeat(pages % 10, sizes)), text(np.repeat(pages, sizes))


COLLECTIONS = {
    "photos": lambda seed: (text(np.arange(900) % 3), text(range(900))),
    "12 writers": lambda seed: make_writers(12, seed),
    "87 pages": lambda seed: make_class_pages(87, seed),
    "60 mixed pages": lambda seed: make_pages(60, seed),
}


@pytest.mark.parametrize("name", COLLECTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_every_class_is_within_three_points_or_a_writer_in_every_part(name, seed):
    labels, groups = COLLECTIONS[name](seed)
    off = 1 / 12 if name == "12 writers" else 0.0351
    split = split_shares(labels, groups, test=0.3, val=0.1, seed=seed)
    [parts] = split.folds
    for kind in set(labels):
        shares = {part: (parts[labels == kind] == part).mean() for part in ("test", "val", "train")}
        assert min(shares.values()) > 0
        assert shares["test"] == pytest.approx(0.3, abs=off)
        assert shares["val"] == pytest.approx(0.1, abs=off)


@given(seed=st.integers(0, 10**6), kinds=st.lists(st.sampled_from("abc"), min_size=40, max_size=90))
@settings(max_examples=30)
def test_a_picture_more_or_less_moves_one_other_at_each_border_of_its_class(seed, kinds):
    labels, groups = text(kinds), text(range(len(kinds)))
    try:
        [whole] = split_shares(labels, groups, test=0.25, val=0.15, seed=seed).folds
        here = np.arange(len(labels)) != seed % len(labels)
        [less] = split_shares(labels[here], groups[here], test=0.25, val=0.15, seed=seed).folds
    except DataError:  # a class is too small
        return
    moved = np.flatnonzero(less != whole[here])
    assert len(moved) <= 2  # one from each of the two borders
    assert set(labels[here][moved]) <= {labels[seed % len(labels)]}


def test_a_tile_less_of_a_writer_moves_no_writer():
    """Twelve forms of ten classes, eight boxes each, of which some are empty."""
    dice = np.random.default_rng(2)
    filled = dice.random(12 * 80) > 0.07
    labels = text(np.tile(np.repeat(np.arange(10), 8), 12)[filled])
    groups = text(np.repeat([f"writer {n}" for n in range(12)], 80)[filled])
    [whole] = split_shares(labels, groups, test=0.3, val=0.1, seed=1).folds
    for dropped in range(0, len(labels), 9):
        here = np.arange(len(labels)) != dropped
        [less] = split_shares(labels[here], groups[here], test=0.3, val=0.1, seed=1).folds
        assert (less == whole[here]).all()


def test_a_tile_more_or_less_of_a_page_moves_no_page():
    labels, groups = make_pages(87)
    [whole] = split_shares(labels, groups, test=0.3, val=0.1, seed=1).folds
    moved = []
    for dropped in range(0, len(labels), 7):
        here = np.arange(len(labels)) != dropped
        [less] = split_shares(labels[here], groups[here], test=0.3, val=0.1, seed=1).folds
        moved.append((less != whole[here]).any())
    assert np.mean(moved) < 0.05


def test_another_seed_draws_anew_and_the_order_of_rows_means_nothing():
    labels, groups = make_pages()
    [first], [other] = (
        split_shares(labels, groups, test=0.3, val=0.1, seed=seed).folds for seed in (1, 2)
    )
    order = np.random.default_rng(0).permutation(len(labels))
    [again] = split_shares(labels[order], groups[order], test=0.3, val=0.1, seed=1).folds
    assert (first != other).any()
    np.testing.assert_array_equal(again, first[order])


def test_tied_groups_that_would_lie_on_two_sides_train():
    labels, groups = text("ab" * 100), text(range(200))
    [apart] = split_shares(labels, groups, test=0.3, val=0.1, seed=1).folds
    tested, trained = np.flatnonzero(apart == "test")[0], np.flatnonzero(apart == "train")[0]
    merged = groups.copy()
    merged[tested] = merged[trained]
    split = split_shares(labels, groups, test=0.3, val=0.1, seed=1, merged=merged)
    assert split.joined == 1
    assert split.folds[0][tested] == split.folds[0][trained] == "train"
    assert (split.folds[0] != apart).sum() == 1


def test_a_class_that_one_part_would_miss_gets_a_group_there():
    labels, groups = make_pages(20)
    for page in ("page 3", "page 8", "page 12"):
        labels[np.flatnonzero(groups == page)[0]] = "rare"
    for seed in range(10):
        [parts] = split_shares(labels, groups, test=0.3, val=0.2, seed=seed).folds
        assert set(parts[labels == "rare"]) == {"train", "val", "test"}


def test_balance_keeps_what_it_kept_when_other_tiles_come():
    labels, ids = text("a" * 60 + "b" * 40), text(range(100))
    kept = set(ids[undersample(labels, ids, None, seed=1)])
    more = text("a" * 60 + "b" * 41), text(range(101))
    again = set(more[1][undersample(*more, None, seed=1)])
    assert kept < again
    assert Counter(more[0][undersample(*more, None, seed=1)]) == {"a": 41, "b": 41}


def test_a_given_test_set_is_kept():
    labels, groups = make_pages()
    given_test = np.isin(groups, ["page 3", "page 17"])
    [parts] = split_shares(labels, groups, test=0.5, val=0.1, seed=1, given_test=given_test).folds
    np.testing.assert_array_equal(parts == "test", given_test)


def test_what_shares_a_group_with_a_given_test_set_is_left_out():
    labels, groups = make_pages()
    given_test = groups == "page 17"
    given_test[np.flatnonzero(given_test)[1:]] = False  # one tile of the page is tested
    [parts] = split_shares(labels, groups, test=0.5, val=0.1, seed=1, given_test=given_test).folds
    np.testing.assert_array_equal(parts == "test", given_test)
    np.testing.assert_array_equal(parts == "", (groups == "page 17") & ~given_test)


def test_a_page_that_is_trained_on_in_part_is_never_tested():
    labels, groups = make_pages()
    given_train = np.zeros(len(labels), bool)
    given_train[::9] = True  # a tile here and there
    [parts] = split_shares(labels, groups, test=0.2, val=0.1, seed=1, given_train=given_train).folds
    assert (parts == "test").any()
    assert not set(groups[parts == "test"]) & set(groups[given_train])


def test_given_training_tiles_are_never_tested():
    labels, groups = make_pages()
    given_train = np.isin(groups, [f"page {page}" for page in range(30)])
    [parts] = split_shares(labels, groups, test=0.3, val=0.1, seed=1, given_train=given_train).folds
    assert not (parts[given_train] == "test").any()
    assert abs((parts == "test").mean() - 0.3) < 0.08


def test_every_tile_is_tested_in_exactly_one_fold():
    labels, groups = make_pages()
    folds = split_folds(labels, groups, folds=5, val=0.1, seed=1).folds
    tested = np.sum([parts == "test" for parts in folds], axis=0)
    np.testing.assert_array_equal(tested, 1)
    for parts in folds:
        for group in set(groups):
            assert len(set(parts[groups == group])) == 1


def test_a_class_with_one_tile_is_refused():
    labels = text(["cat"] * 30 + ["dog"])
    with pytest.raises(DataError) as error:
        split_shares(labels, text(range(31)), test=0.2, val=0.1, seed=1)
    assert str(error.value) == (
        "class 'dog' is too small to appear in each part: it has 1 tile and 3 are needed"
    )


@pytest.mark.parametrize("folds, val, needed", [(5, 0.1, 5), (3, 0.2, 3), (2, 0.2, 4), (2, 0, 2)])
def test_as_many_groups_as_are_said_to_be_needed_are_enough_for_folds(folds, val, needed):
    def divide(dogs):
        labels = text(["cat"] * 30 + ["dog"] * dogs)
        return labels, split_folds(labels, text(range(30 + dogs)), folds=folds, val=val, seed=1)

    labels, drawn = divide(needed)
    for parts in drawn.folds:
        check_parts(labels, parts, ["cat", "dog"], ["train", "test", *(["val"] if val else [])])
    with pytest.raises(DataError, match=f"'dog'.*it has {needed - 1} tiles? and {needed} are nee"):
        divide(needed - 1)


def test_the_smallest_class_is_named_first():
    labels = text(["ant"] * 2 + ["bee"] * 30 + ["cow"])
    with pytest.raises(DataError, match="class 'cow' is too small"):
        split_shares(labels, text(range(33)), test=0.2, val=0.1, seed=1)


def test_a_class_from_one_group_is_refused():
    labels, groups = make_pages(pages=20)
    labels[groups == "page 0"] = "rare"
    with pytest.raises(DataError, match="class 'rare'.* tiles come from 1 group and 3 are needed"):
        split_shares(labels, groups, test=0.2, val=0.1, seed=1)


def test_a_part_without_a_class_is_refused():
    with pytest.raises(DataError, match="class 'b'.*none came into the validation set"):
        check_parts(text("aabb"), text(["train", "val", "train", "train"]), ["a", "b"], ["val"])


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(DataError, match="leave nothing to train on"):
        split_shares(text("ab" * 20), text(range(40)), test=0.6, val=0.5, seed=1)


@pytest.mark.parametrize("of_pages", [False, True])
@pytest.mark.parametrize(("test", "val"), [(0.99, 0.0), (0.01, 0.97), (0.5, 0.49)])
def test_shares_that_leave_nothing_once_rounded_are_refused(of_pages, test, val):
    labels, groups = text("ab" * 20), text(np.arange(40) // (4 if of_pages else 1))
    with pytest.raises(DataError, match="leave nothing to train on"):
        split_shares(labels, groups, test=test, val=val, seed=1)


@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=4),
    test=st.floats(0.01, 0.99),
    val=st.floats(0, 0.99),
    size=st.integers(1, 3),
)
@settings(max_examples=30)
def test_any_shares_give_a_split_or_a_sentence(counts, test, val, size):
    labels = text(np.repeat(list("abcd")[: len(counts)], counts))
    groups = text(np.arange(len(labels)) // size)
    try:
        [parts] = split_shares(labels, groups, test=test, val=val, seed=1).folds
    except DataError:
        return
    assert {"train", "test"} <= set(parts)


def test_a_class_of_which_too_much_or_too_little_is_tested_is_named():
    labels = text("a" * 40 + "b" * 40 + "c" * 40)
    test = np.zeros(120, bool)
    test[[*range(4), *range(40, 52), *range(80, 88)]] = True  # 10 %, 30 % and 20 %: 20 % of all
    assert find_uneven(labels, test) == (0.2, [])
    test[3], test[88] = False, True
    assert find_uneven(labels, test) == (0.2, [("a", 0.075)])
    test[:3], test[52:55] = False, True
    assert find_uneven(labels, test) == (0.2, [("a", 0.0)])
    test[88:93], test[80:85], test[55:60] = False, False, True
    share, uneven = find_uneven(labels, test)
    assert share == pytest.approx(23 / 120)
    assert uneven == [("a", 0.0), ("c", 0.075), ("b", 0.5)]


def test_a_class_that_is_less_than_a_tile_off_is_even_enough():
    labels = text("a" * 100 + "bbb")
    test = np.arange(103) % 10 == 0  # 10 of the a, 1 of the b: a third
    assert find_uneven(labels, test) == (pytest.approx(11 / 103), [])


def test_near_duplicates_are_tied_through_each_other():
    """a-b and b-c are one bit apart and so a-c two: still one cluster; the rest is alone."""
    hashes = np.array([0b1, 0b11, 0b111, 0xFF00, 0xFFFF0000], np.uint64)
    clusters = find_near_duplicates(hashes, distance=1)
    assert clusters[0] == clusters[1] == clusters[2]
    assert len(set(clusters)) == 3


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_hash_distances_agree_with_imagehash(seed):
    bits = np.random.default_rng(seed).random((2, 8, 8)) < 0.5
    distance = imagehash.ImageHash(bits[0]) - imagehash.ImageHash(bits[1])
    hashes = np.packbits(bits.reshape(2, 64), axis=1).view(">u8").ravel().astype(np.uint64)
    tied = [len(set(find_near_duplicates(hashes, d))) == 1 for d in (distance - 1, distance)]
    assert tied == [False, True]


def test_groups_that_share_a_near_duplicate_are_merged():
    groups = ["tom", "tom", "kitty", "rex", "rex"]
    merged = merge_groups(groups, np.array([0, 1, 1, 2, 3]))
    assert list(merged) == ["kitty", "kitty", "kitty", "rex", "rex"]


def test_a_share_is_met_in_every_class():
    labels = text(["cat"] * 120 + ["dog"] * 80)
    chosen = choose_share(labels, text(range(200)), 0.25, seed=1)
    assert Counter(labels[chosen]) == {"cat": 30, "dog": 20}


@given(seed=st.integers(0, 1000), shares=st.tuples(st.floats(0.02, 1), st.floats(0.02, 1)))
@settings(max_examples=25)
def test_a_smaller_share_lies_within_a_larger_one_and_groups_are_never_torn(seed, shares):
    labels, groups = make_pages(seed=seed)
    small, large = (choose_share(labels, groups, share, seed) for share in sorted(shares))
    assert not (small & ~large).any()
    for share, chosen in zip(sorted(shares), (small, large), strict=True):
        assert not set(groups[chosen]) & set(groups[~chosen])
        assert chosen.any()
        assert abs(chosen.mean() - share) < 0.02  # a page is a sixtieth
    assert choose_share(labels, groups, 1.0, seed).all()


def test_a_share_is_drawn_by_the_seed_and_the_groups_alone():
    labels, groups = make_pages()
    chosen = set(groups[choose_share(labels, groups, 0.3, seed=1)])
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = choose_share(labels[order], groups[order], 0.3, seed=1)
    assert set(groups[order][shuffled]) == chosen
    assert set(groups[choose_share(labels, groups, 0.3, seed=2)]) != chosen


def test_a_rare_class_keeps_some_of_its_tiles():
    labels = text(["common"] * 300 + ["rare"] * 4)
    assert Counter(labels[choose_share(labels, text(range(304)), 0.1, seed=1)])["rare"] == 1


@given(
    seed=st.integers(0, 2**32),
    distance=st.sampled_from([0, 1, 4, 8, 9, 32]),
    count=st.integers(3, 60),
)
@settings(max_examples=40)
def test_clusters_are_those_of_comparing_all_with_all(seed, distance, count):
    dice = np.random.default_rng(seed)
    hashes = dice.integers(0, 2**64, count, dtype=np.uint64)
    for row in range(count // 3, count):  # most are another one with some bits turned
        turned = dice.choice(64, dice.integers(0, distance + 3), replace=False)
        hashes[row] = hashes[dice.integers(row)] ^ np.uint64(sum(1 << int(bit) for bit in turned))
    clusters = find_near_duplicates(hashes, distance)
    graph = np.bitwise_count(hashes[:, None] ^ hashes) <= distance
    _, expected = connected_components(graph, directed=False)
    same = clusters[:, None] == clusters
    np.testing.assert_array_equal(same, expected[:, None] == expected)


# --- What `prep split` says early ----------------------------------------------------------


def give_groups(project, sizes):
    """Let raw/labels.csv make groups of so many pictures of each class: (bars, squares)."""
    lines, next_of = ["source,group"], {"bar": 0, "square": 0}
    for group, pictures in enumerate(sizes):
        for name, count in zip(next_of, pictures, strict=True):
            numbers = range(next_of[name], next_of[name] + count)
            lines += [f"raw/pictures/{name}/{number:03}.png,writer {group}" for number in numbers]
            next_of[name] += count
    (project / "raw/labels.csv").write_text("\n".join(lines))
    write_params(project, balance={"method": "none"})


def split_all(prep, expected=0):
    run_to(prep, "balance")
    code, _, errors = prep("split")
    assert code == expected
    return errors


def test_too_few_groups_for_a_verdict_are_told_before_anything_is_trained(project, prep):
    give_groups(project, [(2, 2)] * 10 + [(0, 2)])
    errors = split_all(prep)
    assert "only 3 groups in the test set; from fewer than 20 prep compare gives no" in errors
    assert "a larger split.test, or split.folds" in errors
    assert "groups stay whole" not in errors


def test_single_pictures_are_no_groups_to_warn_of(project, prep):
    assert split_all(prep) == ""


def test_enough_groups_over_all_folds_are_not_warned_of(project, prep):
    give_groups(project, [(1, 1)] * 20)
    write_params(project, split={"test": 0.3, "val": 0.2, "folds": 3, "group": "page", "seed": 1})
    assert split_all(prep) == ""


def test_classes_that_whole_groups_make_uneven_are_named(project, prep):
    give_groups(project, [(19, 1), (1, 10), (0, 11)])
    split = {"test": 0.3, "val": 0.0, "folds": 1, "group": "page", "seed": 1}
    write_params(project, split=split, balance={"method": "none"})
    errors = split_all(prep)
    assert "only 1 group in the test set" in errors
    assert "of class 'bar', but 26% of all tiles, because groups stay whole" in errors


def test_the_test_set_may_be_given_as_a_number_of_tiles(project, prep):
    """It becomes a share: of 40 tiles that nothing ties together exactly 10 are tested."""
    write_params(project, split={"test": 10, "val": 0.2, "near_duplicates": None})
    for stage in ("ingest", "segment", "normalise", "balance", "split"):
        code, printed, errors = prep(stage)
        assert code == 0, errors
    assert " 10 test in processed/split.csv" in printed
    write_params(project, split={"test": 40, "val": 0.2})
    code, _, errors = prep("split")
    assert (code, "split.test: 40 of 40 tiles leave nothing to train on" in errors) == (1, True)


def test_nothing_to_test_is_told_as_that_and_blames_no_class(project, prep):
    write_params(project, split={"test": 0, "val": 0.2})
    assert "split.test is 0, so nothing would be tested; give a share" in split_all(prep, 1)


def test_with_folds_a_share_to_test_is_told_to_be_unused(project, prep):
    write_params(project, split={"test": 0.3, "val": 0.2, "folds": 3})
    assert split_all(prep) == ""
    assert "split.test is not used: with folds every tile is tested once" in prep("split")[1]
    write_params(project, split={"val": 0.2, "folds": 3})
    assert "not used" not in prep("split")[1]


# --- A validation set as given ----------------------------------------------------------------


@pytest.mark.parametrize("test_given", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_a_given_validation_set_is_that_and_nothing_is_drawn_for_it(test_given, share):
    labels, groups = make_pages()
    given_val = np.isin(groups, ["page 3", "page 8", "page 21"])
    given_test = np.isin(groups, ["page 5", "page 12"]) if test_given else None
    [parts] = split_shares(
        labels, groups, test=0.2, val=share, seed=1, given_val=given_val, given_test=given_test
    ).folds
    np.testing.assert_array_equal(parts == "val", given_val)
    if test_given:
        np.testing.assert_array_equal(parts == "test", given_test)
    else:
        assert abs((parts == "test").mean() - 0.2) < 0.08
    assert set(parts) == {"train", "val", "test"}


def test_what_shares_a_group_with_a_given_set_is_in_no_other():
    """Page 17 lies in both sets as given: the test set keeps its tiles, validation loses its."""
    labels, groups = make_pages()
    page, other = np.flatnonzero(groups == "page 17"), np.flatnonzero(groups == "page 4")
    given_test, given_val = np.zeros((2, len(labels)), bool)
    given_test[page[0]] = given_val[page[1]] = given_val[other[0]] = True
    [parts] = split_shares(
        labels, groups, test=0.5, val=0.1, seed=1, given_test=given_test, given_val=given_val
    ).folds
    assert list(parts[page[:3]]) == ["test", "", ""]
    assert list(parts[other[:2]]) == ["val", ""]
    assert set(parts[~np.isin(groups, ["page 17", "page 4"])]) == {"train"}


def test_given_sets_that_leave_nothing_are_refused():
    labels, rows = text(["cat", "dog"] * 4), np.arange(8)
    with pytest.raises(DataError) as error:
        split_shares(
            labels, text(rows), test=0.2, val=0.2, seed=1,
            given_test=rows < 4, given_val=rows >= 4,
        )  # fmt: skip
    assert (
        "the test set as given and the validation set as given leave 0 of its 4 tiles and 1 is"
    ) in str(error.value)
