"""Occlusion patterns and triplets: severity as asked, shapes as named, masks that fit together, equal bytes again."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from scenemaker.data.occlusion.brush import WIDER, WIDTH, brush
from scenemaker.data.occlusion.corner import corner
from scenemaker.data.occlusion.cutout import cutout
from scenemaker.data.occlusion.severity import box, calibrated, largest_piece_px, occlude, removed_share
from scenemaker.data.occlusion.targets import Target
from scenemaker.data.occlusion.triplets import Triplet, TripletRecipe, make_triplet, prompt_for
from scenemaker.errors import PlacementError
from scenemaker.scene import Bool

H, W = 150, 220


def ellipse(height: int = H, width: int = W, fill: float = 0.7) -> Bool:
    """An ellipse in the middle of the picture."""
    v, u = np.mgrid[:height, :width] + 0.5
    return ((u - width / 2) / (fill * width / 2)) ** 2 + ((v - height / 2) / (fill * height / 2)) ** 2 < 1


def hook(size: int = 120) -> Bool:
    """A shape without any symmetry."""
    out = np.zeros((size, size - 30), bool)
    out[5:-5, 5:35] = True
    out[-35:-5, 5:-5] = True
    out[20:35, 5:60] = True
    return out


class Discs:
    """Targets: ellipses of random proportions with a soft outline and a gradient; occluders: hooks."""

    name = "discs"

    def draw(self, rng: np.random.Generator, px: int) -> Target:
        w, h = px, max(8, round(px * rng.uniform(0.4, 0.9)))
        inside = cv2.resize(ellipse(4 * h, 4 * w, 0.99).astype(np.uint8) * 255, (w, h), interpolation=cv2.INTER_AREA)
        v, u = np.mgrid[:h, :w]
        rgba = np.stack([40 + 150 * u / w, 40 + 150 * v / h, np.full((h, w), 90.0), inside], 2).astype(np.uint8)
        return Target(rgba=rgba, key=f"disc_{w}x{h}", label="soap_dish")

    def silhouette(self, rng: np.random.Generator) -> Bool:
        return hook()


def drawn(pattern: str, amodal: Bool, severity: float, seed: int) -> Bool:
    rng = np.random.default_rng(seed)
    if pattern == "cutout":
        return cutout(amodal, rng, severity, hook())
    return {"corner": corner, "brush": brush}[pattern](amodal, rng, severity)


@pytest.mark.parametrize("pattern", ["cutout", "corner", "brush"])
@pytest.mark.parametrize("severity", [0.1, 0.4, 0.8])
def test_a_pattern_removes_what_is_asked(pattern: str, severity: float) -> None:
    amodal = ellipse()
    shares = [removed_share(amodal, drawn(pattern, amodal, severity, seed)) for seed in range(12)]
    assert np.abs(np.array(shares) - severity).max() <= 0.015  # a column of this ellipse is 0.8 %


@pytest.mark.parametrize("pattern", ["cutout", "corner", "brush"])
def test_equal_generators_draw_equal_patterns(pattern: str) -> None:
    amodal = ellipse()
    first, again, other = (drawn(pattern, amodal, 0.3, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_corner_leaves_a_right_angle() -> None:
    amodal = ellipse()
    sides = set()
    for seed in range(40):
        left = ~corner(amodal, np.random.default_rng(seed), 0.3)
        rows, columns = left.any(1), left.any(0)
        assert np.array_equal(left, rows[:, None] & columns)  # a rectangle
        cut = frozenset(
            name for name, kept in zip("lrtb", (columns[0], columns[-1], rows[0], rows[-1]), strict=True) if not kept
        )
        assert 1 <= len(cut) <= 2
        assert cut not in ({"l", "r"}, {"t", "b"})  # two sides meet
        sides.add(cut)
    assert {len(s) for s in sides} == {1, 2}
    assert set().union(*sides) == set("lrtb")


def test_a_straight_cut_of_a_box_is_exact() -> None:
    amodal = np.zeros((60, 140), bool)
    amodal[10:50, 20:120] = True  # 40 x 100
    for seed in range(20):
        removed = corner(amodal, np.random.default_rng(seed), 0.25)
        rows, columns = (~removed).any(1), (~removed).any(0)
        if columns.all():
            assert (amodal & ~removed).any(1).sum() == 30
        elif rows.all():
            assert (amodal & ~removed).any(0).sum() == 75


def test_a_cutout_has_the_shape_of_the_other_object() -> None:
    """Hu's moments do not change when a shape is moved, turned, scaled; the seventh changes its sign when mirrored."""
    amodal = ellipse(600, 800, 0.3)
    source = hook(240)
    want = cv2.HuMoments(cv2.moments(source.astype(np.uint8), True)).ravel()
    turns, compared = set(), 0
    for seed in range(30):
        removed = cutout(amodal, np.random.default_rng(seed), 0.15, source)
        x0, y0, x1, y1 = box(removed)
        if min(x0, y0) == 0 or x1 == 800 or y1 == 600:
            continue  # it reaches beyond the picture
        got = cv2.HuMoments(cv2.moments(removed.astype(np.uint8), True)).ravel()
        assert np.allclose(got[:4], want[:4], rtol=0.05)
        assert np.isclose(abs(got[6]), abs(want[6]), rtol=0.3)
        turns.add(bool(got[6] * want[6] > 0))
        compared += 1
    assert compared >= 10
    assert turns == {True, False}  # some are mirrored


def test_a_cutout_comes_from_outside() -> None:
    """It stops as soon as enough is hidden: at low severity most of the occluder lies beside the object."""
    amodal = ellipse(600, 800, 0.5)
    beside = []
    for seed in range(20):
        removed = cutout(amodal, np.random.default_rng(seed), 0.05, hook())
        beside.append(1 - (removed & amodal).sum() / removed.sum())
    assert np.median(beside) > 0.5


def test_a_thin_occluder_is_refused() -> None:
    line = np.zeros((40, 200), bool)
    line[20] = True
    text = "expected a silhouette that hides 90%; got one that hides less at 18 times its size; give a fuller one"
    with pytest.raises(PlacementError) as error:
        cutout(ellipse(), np.random.default_rng(0), 0.9, line)
    assert str(error.value) == text


def test_brush_strokes_are_as_wide_as_the_brush() -> None:
    """Opening by a disc a little smaller than the thinnest stroke takes nothing away but pixels of the rim."""
    amodal = ellipse(600, 800)
    x0, y0, x1, y1 = box(amodal)
    for severity in (0.15, 0.5):
        thinnest = np.sqrt((x1 - x0) * (y1 - y0)) * WIDTH[0] * (1 + WIDER * severity) * 0.7
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(thinnest) - 2,) * 2)
        for seed in range(6):
            removed = brush(amodal, np.random.default_rng(seed), severity)
            inside = np.pad(removed, 100, mode="edge").astype(np.uint8)
            opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc)[100:-100, 100:-100]
            assert opened.sum() >= 0.97 * removed.sum()


def test_brushes_differ_in_width_and_number() -> None:
    amodal = ellipse(300, 400)
    masks = [brush(amodal, np.random.default_rng(seed), 0.1) for seed in range(20)]
    widths = [cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, 5).max() for m in masks]
    assert max(widths) > 2 * min(widths)
    pieces = [cv2.connectedComponents(m.astype(np.uint8))[0] - 1 for m in masks]
    assert max(pieces) >= 2


def test_calibration_finds_a_crossing() -> None:
    amodal = np.ones((1, 1000), bool)

    def family(t: float) -> Bool:
        out = np.zeros_like(amodal)
        out[:, : round(1000 * t**3)] = True
        return out

    assert removed_share(amodal, calibrated(family, amodal, 0.3)) == pytest.approx(0.3, abs=0.002)


def test_the_largest_piece_counts_diagonal_neighbours() -> None:
    visible = np.zeros((6, 9), bool)
    visible[0, :3] = True
    visible[3:5, 4] = visible[5, 5] = True
    visible[1, 3] = True
    assert largest_piece_px(visible) == 4
    assert largest_piece_px(visible & False) == 0


def test_something_stays_visible() -> None:
    amodal = ellipse()
    full = amodal.sum()
    draws = iter([np.ones_like(amodal), ~amodal, corner(amodal, np.random.default_rng(0), 0.5)])
    removed = occlude(lambda: next(draws), amodal, 0.5, min_visible_px=64)  # the first two are thrown away
    assert removed_share(amodal, removed) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(PlacementError) as error:
        occlude(lambda: np.ones_like(amodal), amodal, 1.0, min_visible_px=5)
    assert str(error.value) == (
        f"expected 100.0% of an object of {full} px removed and 5 px to see; got 100.0% with 0 px to see; "
        "ask for less severity, larger objects or fewer visible px"
    )


def recipe(**options: object) -> TripletRecipe:
    return TripletRecipe.model_validate({"width": 200, "height": 150, "low_resolution": 0, "fringe": 0, **options})


def same(a: Triplet, b: Triplet) -> bool:
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in vars(a))


@pytest.mark.parametrize("pattern", ["cutout", "corner", "brush"])
def test_a_triplet_fits_together(pattern: str) -> None:
    for index in range(6):
        x = make_triplet(recipe(patterns={pattern: 1}, severity=(0.2, 0.7)), Discs(), seed=3, index=index)
        assert x.image.shape == x.target.shape == (150, 200, 3)
        assert not (x.mask_modal & x.mask_hidden).any()
        assert np.array_equal(x.mask_amodal, x.mask_modal | (x.mask_hidden & x.mask_amodal))
        assert x.mask_modal.any()
        beside = x.mask_hidden & ~x.mask_amodal  # the occluder itself, beside the object
        assert beside.any()
        assert not (x.mask_hidden | x.mask_modal).all()  # where the background is seen, nothing is hidden
        assert (x.image[~x.mask_modal] == 255).all()
        solid = cv2.erode(x.mask_amodal.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert np.array_equal(x.image[x.mask_modal & solid], x.target[x.mask_modal & solid])
        assert (
            x.target[~cv2.dilate(x.mask_amodal.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)] == 255
        ).all()
        assert (x.target[solid] < 200).all()  # the whole object is in the target
        assert x.severity == pytest.approx(1 - x.mask_modal.sum() / x.mask_amodal.sum(), abs=1e-12)
        assert 0.17 <= x.severity <= 0.73
        assert x.pattern == pattern
        assert x.label == "soap_dish"
        assert "the complete soap dish." in x.prompt


def test_severity_is_drawn_from_its_range() -> None:
    got = [make_triplet(recipe(severity=(0.1, 0.9)), Discs(), seed=0, index=i).severity for i in range(30)]
    assert min(got) < 0.25
    assert max(got) > 0.75


def test_full_severity_leaves_a_piece() -> None:
    x = make_triplet(recipe(severity=(1, 1), patterns={"corner": 1}, min_visible_px=40), Discs(), seed=0, index=0)
    assert largest_piece_px(x.mask_modal) >= 40
    assert x.severity > 0.9


def test_objects_have_the_asked_share_of_the_picture() -> None:
    for share in (0.3, 0.8):
        x = make_triplet(recipe(object_share=(share, share)), Discs(), seed=0, index=1)
        x0, y0, x1, y1 = box(x.mask_amodal)
        assert max((x1 - x0) / 200, (y1 - y0) / 150) == pytest.approx(share, abs=0.03)
    shares, places = [], []
    for index in range(20):
        x0, y0, x1, y1 = box(make_triplet(recipe(), Discs(), seed=0, index=index).mask_amodal)
        shares.append(max((x1 - x0) / 200, (y1 - y0) / 150))
        places.append((x0 + x1) / 400)
    assert min(shares) < 0.5 < 0.75 < max(shares)
    assert min(places) < 0.4 < 0.6 < max(places)


def test_low_resolution_blurs_the_picture_and_nothing_else() -> None:
    detail: Callable[[np.ndarray], float] = lambda rgb: float(np.abs(cv2.Laplacian(rgb.astype(np.float32), -1)).mean())  # noqa: E731
    softer = []
    for index in range(8):
        sharp, low = (
            make_triplet(recipe(low_resolution=p, low_resolution_px=32), Discs(), seed=1, index=index) for p in (0, 1)
        )
        assert np.array_equal(sharp.mask_modal, low.mask_modal)
        assert np.array_equal(sharp.target, low.target)
        assert np.abs(sharp.image.mean((0, 1)) - low.image.mean((0, 1))).max() < 3
        softer.append(detail(low.image) / detail(sharp.image))
    assert max(softer) <= 1.0
    assert min(softer) < 0.5


def test_a_fringe_touches_the_outline_only() -> None:
    plain, fringed = (make_triplet(recipe(fringe=p), Discs(), seed=2, index=0) for p in (0, 1))
    assert np.array_equal(plain.mask_modal, fringed.mask_modal)
    differs = (plain.image != fringed.image).any(2)
    solid = cv2.erode(plain.mask_amodal.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert differs.any()
    assert (plain.image[plain.mask_modal][:, 2] == 90).all()  # its own blue, everywhere
    assert not (differs & (solid | ~plain.mask_modal)).any()


def test_a_triplet_depends_on_seed_and_index_alone() -> None:
    options = recipe(low_resolution=0.5, fringe=0.5)
    in_order = [make_triplet(options, Discs(), seed=7, index=i) for i in range(4)]
    assert same(make_triplet(options, Discs(), seed=7, index=3), in_order[3])
    assert not same(make_triplet(options, Discs(), seed=8, index=3), in_order[3])
    assert not same(in_order[2], in_order[3])


def test_patterns_are_mixed_by_weight() -> None:
    options = recipe(patterns={"cutout": 0, "corner": 3, "brush": 1})
    drawn = [make_triplet(options, Discs(), seed=0, index=i).pattern for i in range(60)]
    assert "cutout" not in drawn
    assert 30 < drawn.count("corner") < 57  # 45 expected, four standard deviations


def test_the_prompt_names_the_object() -> None:
    assert prompt_for("tea_pot", "A {label}, whole.") == "A tea pot, whole."
    assert prompt_for(None, "A {label}, whole.") == "A object, whole."
    assert prompt_for("x{label}", "One prompt for all.") == "One prompt for all."
    x = make_triplet(recipe(prompt="whole {label}"), Discs(), seed=0, index=0)
    assert x.prompt == "whole soap dish"


def test_objects_too_small_are_told() -> None:
    options = recipe(patterns={"corner": 1}, severity=(0.5, 0.5), min_visible_px=20000)
    with pytest.raises(PlacementError) as error:
        make_triplet(options, Discs(), seed=0, index=0)
    assert str(error.value).startswith(
        "expected a target for corner at severity 0.50 among 20; got none "
        "(expected an object of more than 75471 px; got "
    )
    assert str(error.value).endswith("; ask for larger ones); change the recipe or the targets")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"severity": (0.0, 0.5)}, "severity must be two numbers from 0.01 to 1, the smaller first"),
        ({"severity": (0.5, 1.1)}, "severity must be two numbers from 0.01 to 1, the smaller first"),
        ({"object_share": (0.9, 0.2)}, "object_share must be two numbers from 0.01 to 1, the smaller first"),
        ({"patterns": {}}, "give weights of 0 or more, one of them above 0"),
        ({"patterns": {"corner": 0}}, "give weights of 0 or more, one of them above 0"),
        ({"patterns": {"corner": -1, "brush": 2}}, "give weights of 0 or more, one of them above 0"),
        ({"patterns": {"brush": float("nan")}}, "give weights of 0 or more, one of them above 0"),
        ({"patterns": {"smear": 1}}, "Input should be 'cutout', 'corner' or 'brush'"),
        ({"widht": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_recipe_is_told(options: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError) as error:
        TripletRecipe(**options)  # type: ignore[arg-type]
    assert text in str(error.value)
