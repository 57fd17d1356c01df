"""Who hides whom is decided at the common edge."""

from __future__ import annotations

import numpy as np
from occluded import HEIGHT, WIDTH

from scenemaker.deocclusion.order import cues, log_odds, meetings, reach_px, who_hides_whom


def _order(index: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = int(index.max()) + 1
    median = np.array([np.nanmedian(depth[index == k]) for k in range(n)], np.float32)
    area = np.bincount(index[index >= 0], minlength=n)
    return who_hides_whom(index, depth, median, area, reach_px(*index.shape))


def _cup_on_table() -> np.ndarray:
    index = np.full((HEIGHT, WIDTH), -1, np.int32)
    index[50:100, 10:160] = 0  # a table top seen from above
    index[40:85, 70:90] = 1  # a cup that stands on it
    return index


def test_a_cup_hides_its_table_though_the_table_is_nearer_on_the_whole() -> None:
    index = _cup_on_table()
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    table = np.broadcast_to(6 - 0.04 * rows, index.shape)  # the table comes nearer downwards
    depth = np.where(index == 1, 6 - 0.04 * 84, table).astype(np.float32)
    depth[index == 0] -= 0.2  # so that its median is nearer than the cup
    assert np.median(depth[index == 0]) < np.median(depth[index == 1]) + 0.5
    hidden_by, _ = _order(index, depth)
    assert hidden_by[0, 1] and not hidden_by[1, 0]


def test_without_any_depth_the_enclosed_object_and_the_bar_of_the_t_win() -> None:
    index = _cup_on_table()
    nothing = np.full(index.shape, np.nan, np.float32)
    met, outline = meetings(index, 2)
    area = np.bincount(index[index >= 0])
    found = cues(met[0], index, nothing, outline, area)
    assert found["depth"] == 0 and found["enclosed"] > 0
    assert log_odds(found) > 0

    post = np.full((HEIGHT, WIDTH), -1, np.int32)
    post[40:80, 20:150] = 0
    post[10:110, 70:90] = 1
    met, outline = meetings(post, 2)
    found = cues(met[0], post, nothing, outline, np.bincount(post[post >= 0]))
    assert found["bar"] > 0.05
    assert log_odds(found) > 0


def test_cues_change_sign_with_the_order_of_the_objects() -> None:
    index = _cup_on_table()
    depth = np.where(index == 1, 4, 5).astype(np.float32)
    swapped = np.where(index >= 0, 1 - index, -1).astype(np.int32)
    one, two = (
        cues(*(lambda m, o: (m[0], i, depth, o, np.bincount(i[i >= 0])))(*meetings(i, 2))) for i in (index, swapped)
    )
    for name, value in one.items():
        assert abs(value + two[name]) < 1e-5, name


def test_nothing_hides_an_object_that_does_not_touch() -> None:
    index = np.full((HEIGHT, WIDTH), -1, np.int32)
    index[20:60, 20:50] = 0
    index[20:60, 90:120] = 1
    hidden_by, behind = _order(index, np.where(index == 1, 3, 5).astype(np.float32))
    assert not hidden_by.any()
    assert behind[0, 1] and not behind[1, 0]  # yet it may continue behind what is nearer


def test_meeting_counts_the_common_edge_once() -> None:
    index = np.full((40, 60), -1, np.int32)
    index[10:30, 10:30] = 0
    index[10:30, 30:50] = 1
    met, outline = meetings(index, 3)
    assert len(met) == 1
    assert met[0].shared_px == 20
    assert outline.tolist() == [80, 80]
    flat = index.ravel()
    assert (flat[met[0].at_first] == 0).all() and (flat[met[0].at_second] == 1).all()
