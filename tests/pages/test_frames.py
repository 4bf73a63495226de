"""Printed boxes, one for each character, with a glyph in them or running into their line."""

import cv2
import numpy as np

from pipeline.pages.frames import erase_frames, find_frames
from pipeline.pages.pieces import find_pieces


def draw_boxes(count: int = 4) -> np.ndarray:
    page = np.zeros((200, 640), np.uint8)
    for k in range(count):
        cv2.rectangle(page, (20 + 150 * k, 40), (120 + 150 * k, 150), 255, 3)
        cv2.circle(page, (70 + 150 * k, 95), 25, 255, 6, cv2.LINE_AA)
    return page


def test_boxes_of_one_size_are_found_and_their_lines_erased() -> None:
    page = draw_boxes()
    frames = find_frames(find_pieces(page))
    assert frames is not None and len(frames.boxes) == 4
    left = find_pieces(erase_frames(page, frames))
    assert sorted(left.boxes[:, 0].tolist()) == [42, 192, 342, 492]


def test_a_stroke_that_runs_into_the_line_stays() -> None:
    page = draw_boxes()
    cv2.line(page, (70, 95), (118, 95), 255, 6)
    frames = find_frames(find_pieces(page))
    assert frames is not None and len(frames.boxes) == 4
    left = find_pieces(erase_frames(page, frames))
    assert left.boxes[left.areas.argmax()].tolist()[0] == 42
    assert left.boxes[:, 2].max() < 560


def test_a_box_or_two_may_be_written() -> None:
    assert find_frames(find_pieces(draw_boxes(count=2))) is None
    rings = np.zeros((200, 640), np.uint8)
    for k in range(4):
        cv2.circle(rings, (70 + 150 * k, 95), 50, 255, 3, cv2.LINE_AA)
    assert find_frames(find_pieces(rings)) is None
