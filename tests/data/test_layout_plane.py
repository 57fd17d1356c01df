"""``plane`` and ``floating``: what every arrangement must keep, over many seeds."""

from __future__ import annotations

import numpy as np
import pytest
from layout_shapes import gaps, same_bytes, things
from pydantic import ValidationError

from scenemaker.data.layouts.floating import FloatingLayout
from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.types import GROUND, NOTHING, Arrangement, rng_for
from scenemaker.errors import InputError, PlacementError

THINGS = things()


def arranged(layout: PlaneLayout | FloatingLayout, index: int, n: int | None = None) -> Arrangement:
    rng = rng_for(7, index, "layout")
    n = n or int(rng.integers(layout.count[0], layout.count[1] + 1))
    return layout.arrange([THINGS[i] for i in rng.integers(len(THINGS), size=n)], rng)


@pytest.mark.parametrize("layout", [PlaneLayout(), FloatingLayout()], ids=lambda x: x.name)
def test_boxes_keep_the_margin_sizes_and_centre(layout: PlaneLayout | FloatingLayout):
    for index in range(120):
        made = arranged(layout, index)
        assert len(made) == 1 or gaps(made).min() >= layout.config.margin
        assert made.scale.min() >= 0.35 and made.scale.max() <= 1.2
        union = np.stack([made.boxes_world[:, 0].min(0), made.boxes_world[:, 1].max(0)]).mean(0)
        np.testing.assert_allclose(union[[0, 2]], 0, atol=1e-12)
        assert made.tries >= len(made) and made.layout == layout.name
        np.testing.assert_allclose(
            made.R_world_obj @ made.R_world_obj.transpose(0, 2, 1), [np.eye(3)] * len(made), atol=1e-12
        )


def test_plane_has_every_lowest_point_at_zero():
    layout = PlaneLayout(PlaneLayout.Config(orientation={"upright": 1, "tilted": 1, "tumbled": 1}))
    for index in range(60):
        made = arranged(layout, index)
        for o, S in zip(made.objects, made.S_world_obj):
            lowest = (o.mesh.vertices.astype(np.float64) @ S[:3, :3].T + S[:3, 3])[:, 1].min()
            assert lowest == pytest.approx(0, abs=1e-12)
        assert made.support == (GROUND,) * len(made)


def test_floating_is_in_space_about_the_origin():
    heights = []
    for index in range(60):
        made = arranged(FloatingLayout(), index, 5)
        assert made.support == (NOTHING,) * 5
        union = np.stack([made.boxes_world[:, 0].min(0), made.boxes_world[:, 1].max(0)])
        np.testing.assert_allclose(union.mean(0), 0, atol=1e-12)
        heights.append(np.ptp(union, axis=0))
    sides = np.mean(heights, axis=0)
    assert sides.min() > 0.85 * sides.max()  # no axis is special


@pytest.mark.parametrize("layout", [PlaneLayout(), FloatingLayout()], ids=lambda x: x.name)
def test_equal_seeds_give_equal_bytes(layout: PlaneLayout | FloatingLayout):
    n = layout.count[1]
    assert same_bytes(arranged(layout, 3, n), arranged(type(layout)(), 3, n))
    assert not same_bytes(arranged(layout, 3, n), arranged(layout, 4, n))


@pytest.mark.parametrize("kind", [PlaneLayout, FloatingLayout])
def test_spacing_loosens_the_group(kind: type[PlaneLayout] | type[FloatingLayout]):
    tight, loose = (kind(kind.Config(spacing=s)) for s in ((0, 0), (2, 2)))
    sizes = [[arranged(layout, i, 5).size for i in range(40)] for layout in (tight, loose)]
    assert np.mean(sizes[1]) > 1.3 * np.mean(sizes[0])
    nearest = [np.sort(gaps(arranged(tight, i, 5)))[:4] for i in range(20)]
    assert np.median(nearest) < 0.05  # without spacing, neighbours stand at the margin


def test_margin_is_kept_when_it_is_large():
    layout = PlaneLayout(PlaneLayout.Config(margin=0.5, spacing=(0, 0)))
    assert min(gaps(arranged(layout, i, 5)).min() for i in range(30)) >= 0.5


def test_boxes_are_apart_even_without_margin():
    layout = PlaneLayout(PlaneLayout.Config(margin=0, spacing=(0, 0)))
    assert min(gaps(arranged(layout, i, 5)).min() for i in range(60)) > 0


def test_wrong_numbers_of_objects_are_refused():
    with pytest.raises(InputError) as error:
        arranged(PlaneLayout(), 0, 6)
    assert str(error.value) == "expected 2 to 5 objects for the layout plane; got 6; give as many, or set its count"
    with pytest.raises(InputError, match="1 to 12 objects for the layout floating; got 13"):
        arranged(FloatingLayout(), 0, 13)


@pytest.mark.parametrize("kind", [PlaneLayout, FloatingLayout])
def test_a_budget_that_is_spent_is_an_error(kind: type[PlaneLayout] | type[FloatingLayout]):
    layout = kind(kind.Config(count=(1, 60), tries=1, spacing=(0, 0)))
    with pytest.raises(
        PlacementError, match=rf"expected a free place for thing_\d in {layout.name}; got none in 1 tries"
    ):
        arranged(layout, 0, 60)
    assert len(arranged(kind(kind.Config(count=(1, 60), spacing=(0, 0))), 0, 60)) == 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": (5, 2)}, "expected (least, greatest), from 1"),
        ({"size": (0.0, 1.0)}, "expected a least value above 0"),
        ({"size": (2.0, 1.0)}, "expected (least, greatest)"),
        ({"spacing": (-0.1, 1.0)}, "expected a least value of 0 or more"),
        ({"spacing": (0.0, float("nan"))}, "expected (least, greatest)"),
        ({"colour": 1}, "Extra inputs are not permitted"),
    ],
)
def test_bad_options_are_refused(options: dict, said: str):
    with pytest.raises(ValidationError) as error:
        PlaneLayout.Config(**options)
    assert said in str(error.value)
