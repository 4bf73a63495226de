import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import charts


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low, width):
    ticks = charts.choose_ticks(low, low + width)
    slack = 1e-6 * width
    assert len(ticks) <= 6
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)
    assert np.allclose(np.diff(ticks, 2), 0, atol=1e-6 * width)


def test_ticks_step_by_1_2_or_5():
    assert charts.choose_ticks(0, 800) == [0, 200, 400, 600, 800]
    assert charts.choose_ticks(0.47, 0.97) == [0.6, 0.8]


def test_the_mean_curve_skips_what_a_run_lacks():
    whole = (np.array([10.0, 20, 30]), np.array([1.0, 2, 3]))
    failed = (np.array([10.0, 20]), np.array([3.0, np.nan]))
    steps, values = charts.average([whole, failed])
    assert steps.tolist() == [10, 20, 30]
    assert values.tolist() == [2, 2, 3]


def test_curves_keep_within_the_axes_and_the_mean_is_the_strong_line():
    steps = np.array([0.0, 50, 100])
    runs = [(steps, np.array([0.0, 1, 2])), (steps, np.array([2.0, 1, np.nan]))]
    chart = charts.draw_curves("loss", {"training": runs, "validation": []}, (0, 100), (0, 2))
    assert [line.strong for line in chart.lines] == [False, False, True]
    first = [tuple(map(float, point.split(","))) for point in chart.lines[0].points.split()]
    assert first[0] == (charts.LEFT, charts.BOTTOM)  # 0 lies at the bottom
    assert first[-1] == (charts.RIGHT, charts.TOP)
    assert len(chart.lines[1].points.split()) == 2


def test_an_interval_lies_around_its_middle_and_never_leaves_its_axis():
    bar = charts.place_interval(0.1, -0.1, 0.3, margin=0.02, limits=(-0.2, 0.2))
    assert (bar.low, bar.middle, bar.high) == (25, 75, 100)
    assert (bar.zero, bar.band) == (50, (45, 55))


def test_an_axis_need_not_have_its_zero_in_the_middle():
    bar = charts.place_interval(0.02, 0.01, 0.03, margin=0.01, limits=(-0.01, 0.04))
    assert (bar.low, bar.middle, bar.high, bar.zero) == (40, 60, 80, 20)
    assert bar.band == (0, 40)


def test_points_are_scaled_alike_in_both_directions_with_y_up():
    points = np.array([[0.0, 0], [4, 0], [4, 1]])
    placed = charts.place_points(points, 200, 100, edge=10)
    assert placed.tolist() == [[10, 72.5], [190, 72.5], [190, 27.5]]


def test_limits_of_one_value_leave_room():
    assert charts.find_limits(np.array([3.0, np.nan, 3.0])) == (2.5, 3.5)
