"""Masks of every kind give the same objects, and bad ones a clear error."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from scenemaker.errors import InputError, NoObjectsError, ShapeError
from scenemaker.perception import coco
from scenemaker.perception.labels import Tag, resize_nearest, same_aspect
from scenemaker.perception.masks import MaskFiles
from scenemaker.scene import Instances, Photo, Prompts

H, W = 60, 90
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "photos"
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def labels_of_three() -> NDArray[np.uint8]:
    """(60, 90): a disc, a block and a single pixel, first met in the order 1, 2, 3."""
    y, x = np.mgrid[:H, :W]
    labels = np.zeros((H, W), np.uint8)
    labels[(x - 25) ** 2 + (y - 22) ** 2 < 15**2] = 1
    labels[20:50, 50:80] = 2
    labels[55, 3] = 3
    return labels


TRUE = labels_of_three()


def read(
    masks: Path | NDArray[np.generic], width: int = W, height: int = H, name: str = "photo", **config: int
) -> Instances:
    photo = Photo(rgb=np.zeros((height, width, 3), np.uint8), name=name)
    return MaskFiles(MaskFiles.Config(**config)).segment(photo, Prompts(masks=masks))


def same(got: Instances, want: NDArray[np.generic] = TRUE) -> bool:
    ids = [item.id for item in got]
    return got.labels.dtype == np.uint16 and bool((got.labels == want).all()) and ids == list(range(1, len(ids) + 1))


def palette_image(labels: NDArray[np.uint8], colours: NDArray[np.uint8] = COLOURS) -> Image.Image:
    image = Image.fromarray(labels)
    image.putpalette(colours.reshape(-1).tolist())
    return image


def rle(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths down the columns, zeros first: written apart from the reader."""
    counts, value, run = [], False, 0
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return [*counts, run]


def compress(counts: list[int]) -> str:
    """The compressed string of run lengths."""
    out = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            group = x & 31
            x >>= 5
            more = x != -1 if group & 16 else x != 0
            out += chr((group | 32 if more else group) + 48)
    return out


# --- kinds of files -------------------------------------------------------------------------------------------------


def test_palette_keeps_the_order_of_its_indices(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    palette_image(TRUE[::-1].copy()).save(path)
    got = read(path)
    assert same(got, TRUE[::-1])
    assert [item.name for item in got] == ["object_1", "object_2", "object_3"] and got.notices == ()


def test_palette_without_index_one_has_ids_from_one(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    palette_image(np.where(TRUE == 1, 0, TRUE).astype(np.uint8)).save(path)
    assert same(read(path), np.where(TRUE == 1, 0, np.maximum(TRUE, 1) - 1))


def test_a_palette_that_was_optimised_has_its_black_as_background(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    moved = np.choose(TRUE, [2, 0, 1, 3]).astype(np.uint8)
    palette_image(moved, COLOURS[[1, 2, 0, 3]]).save(path)
    got = read(path)
    assert same(got)
    assert got.notices == ("background of masks 'masks.png' is palette index 2, which is black or transparent",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_values_are_labels(tmp_path: Path, dtype: type[np.integer]) -> None:
    path = tmp_path / "masks.png"
    Image.fromarray((TRUE * np.array(70, dtype)).astype(dtype)).save(path)
    assert same(read(path))


@pytest.mark.parametrize("high", [1, 255])
def test_two_grey_values_are_one_object(tmp_path: Path, high: int) -> None:
    path = tmp_path / "masks.png"
    Image.fromarray(((TRUE > 0) * high).astype(np.uint8)).save(path)
    assert same(read(path), TRUE > 0)


def test_one_bit_picture_is_one_object(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    Image.fromarray(TRUE > 0).save(path)
    assert same(read(path), TRUE > 0)


def test_colours_come_in_the_order_of_first_appearance(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    Image.fromarray(COLOURS[[0, 3, 1, 2]][TRUE]).save(path)
    assert same(read(path))


def test_transparent_pixels_are_background(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    colours = COLOURS.copy()
    colours[0] = 255
    Image.fromarray(np.dstack([colours[TRUE], np.where(TRUE, 255, 0).astype(np.uint8)])).save(path)
    assert same(read(path))


def test_soft_edges_between_colours_are_merged(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    big = np.zeros((240, 360), np.uint8)
    big[40:160, 40:150], big[90:220, 150:300] = 1, 2
    soft = Image.fromarray(COLOURS[big]).resize((W, H), Image.Resampling.BICUBIC).rotate(3, Image.Resampling.BICUBIC)
    soft.save(path)
    got, values = read(path), np.asarray(soft)
    assert len(got) == 2 and "merged into the nearest object" in got.notices[0]
    assert ((got.labels == 1) == (values[..., 0] > 127)).mean() > 0.99
    assert ((got.labels == 2) == (values[..., 1] > 127)).mean() > 0.99


def test_a_thin_line_in_a_colour_between_two_others_stays_an_object(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    labels = np.zeros((H, W), np.uint8)
    labels[10:50, 10:40], labels[30, 60:85] = 1, 2
    Image.fromarray(np.array([[0, 0, 0], [200, 0, 0], [100, 0, 0]], np.uint8)[labels]).save(path)
    assert same(read(path), labels)


def test_jpeg_noise_makes_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "masks.jpg"
    labels = np.where(TRUE == 3, 0, TRUE)
    Image.fromarray(COLOURS[labels]).save(path, quality=85)
    got = read(path)
    assert len(got) == 2 and (got.labels == labels).mean() > 0.97


def test_soft_grey_mask_is_one_object(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    y, x = np.mgrid[:H, :W]
    soft = np.clip((15 - np.hypot(x - 40, y - 30)) * 20 + 127.5, 0, 255).astype(np.uint8)
    Image.fromarray(soft).save(path)
    got = read(path)
    assert same(got, soft >= 128)
    assert got.notices[0].endswith("grey values: cut at 128")


def test_forty_small_grey_labels_are_no_soft_mask(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    labels = np.zeros((H, W), np.uint8)
    labels[10:15, 5:85] = np.arange(80) // 2 + 1
    Image.fromarray(labels).save(path)
    assert same(read(path), labels)


def test_a_photograph_as_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (H, W, 3), dtype=np.uint8)).save(path)
    with pytest.raises(
        InputError, match=r"expected flat colours, one per object, in masks 'masks.png'; got \d+ colours"
    ):
        read(path)


@pytest.mark.parametrize("kind", ["npy", "npz", "array"])
@pytest.mark.parametrize("stacked", [False, True])
def test_arrays(tmp_path: Path, kind: str, stacked: bool) -> None:
    array = np.stack([k == TRUE for k in (1, 2, 3)]) if stacked else TRUE.astype(np.int64)
    path = tmp_path / f"masks.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez(path, masks=array, other=np.zeros(3))
    assert same(read(array if kind == "array" else path))


def test_folder_in_natural_order_with_names(tmp_path: Path) -> None:
    for k, name in ((1, "mask 2"), (2, "mask 10"), (3, "mask 11")):
        Image.fromarray(((k == TRUE) * 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("not a mask")
    got = read(tmp_path)
    assert same(got) and [item.name for item in got] == ["mask 2", "mask 10", "mask 11"]


def test_where_masks_overlap_the_smaller_object_wins(tmp_path: Path) -> None:
    big, small = np.zeros((H, W), np.uint8), np.zeros((H, W), np.uint8)
    big[10:50, 10:80], small[20:30, 20:40] = 255, 255
    Image.fromarray(small).save(tmp_path / "a.png")
    Image.fromarray(big).save(tmp_path / "b.png")
    got = read(tmp_path)
    assert same(got, np.where(small, 1, np.where(big, 2, 0)))
    assert got.notices == ("masks overlap on 200 pixels: the smaller object keeps them",)


def test_a_hidden_mask_is_left_out_and_told(tmp_path: Path) -> None:
    stack = np.stack([TRUE == 1, TRUE == 1])
    got = read(stack)
    assert same(got, TRUE == 1)
    assert "1 mask without a visible pixel left out: 2" in got.notices


# --- COCO -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_coco_run_lengths(tmp_path: Path, packed: bool) -> None:
    counts = [rle(k == TRUE) for k in (1, 2, 3)]
    annotations = [
        {"image_id": 7, "category_id": c, "segmentation": {"size": [H, W], "counts": compress(n) if packed else n}}
        for n, c in zip(counts, (4, 4, 5), strict=True)
    ]
    data = {
        "images": [{"id": 7, "width": W, "height": H, "file_name": "photo.jpg"}],
        "annotations": annotations,
        "categories": [{"id": 4, "name": "chair"}, {"id": 5, "name": "cup"}],
    }
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(data))
    got = read(path)
    assert same(got)
    assert [(item.name, item.label) for item in got] == [("chair_1", "chair"), ("chair_2", "chair"), ("cup_1", "cup")]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_compressed_runs_round_trip(counts: list[int]) -> None:
    assert coco.decode_counts(compress(counts)).tolist() == counts


@given(st.integers(0, 2**24 - 1))
def test_runs_unpack_to_the_mask_that_made_them(bits: int) -> None:
    mask = np.array([bits >> k & 1 for k in range(24)], bool).reshape(4, 6)
    layer = coco.layer_from_runs(np.array(rle(mask)), 4, 6, Tag())
    out = np.zeros((4, 6), bool)
    (y, x), (h, w) = layer.origin, layer.mask.shape
    out[y : y + h, x : x + w] = layer.mask
    assert (out == mask).all()


def test_polygon_takes_the_pixels_whose_centre_it_holds() -> None:
    # A triangle with corners on the pixel grid; pixel (column x, row y) has its centre at (x + 0.5, y + 0.5).
    layer = coco.layer_from_polygons([[1, 1, 7, 1, 1, 5]], 6, 9, Tag())
    y, x = np.mgrid[:6, :9] + 0.5
    want = (x > 1) & (y > 1) & ((x - 1) / 6 + (y - 1) / 4 < 1)
    out = np.zeros((6, 9), bool)
    out[layer.origin[0] :, layer.origin[1] :][: layer.mask.shape[0], : layer.mask.shape[1]] = layer.mask
    assert (out == want).all()


def test_of_several_coco_images_the_photo_is_taken_by_name(tmp_path: Path) -> None:
    images = [{"id": k, "width": W, "height": H, "file_name": f"{n}.jpg"} for k, n in enumerate("ab")]
    marks = [{"image_id": k, "segmentation": [[5.0, 5, 20, 5, 20, 10 + 9 * k, 5, 10 + 9 * k]]} for k in (0, 1)]
    path = tmp_path / "masks.json"
    path.write_text(json.dumps({"images": images, "annotations": marks}))
    assert np.count_nonzero(read(path, name="b").labels) == 15 * 14
    with pytest.raises(InputError, match="expected one image in masks 'masks.json'; got 2 images, none or several"):
        read(path, name="c")


@pytest.mark.parametrize(
    ("segmentation", "got"),
    [
        ({"size": [H, W], "counts": [5, 5]}, "ValueError: runs of 10 pixels in all"),
        ({"size": [W, H], "counts": [W * H]}, "ValueError: size [90, 60]"),
        ({"size": [H, W], "counts": "\x7f"}, "ValueError: character '\\x7f'"),
        ({"size": [H, W]}, "KeyError: 'counts'"),
        ([[1, 2, 3]], "ValueError: a polygon of 3 numbers"),
    ],
)
def test_broken_coco(tmp_path: Path, segmentation: object, got: str) -> None:
    path = tmp_path / "masks.json"
    data = {"image": {"width": W, "height": H}, "annotations": [{"segmentation": segmentation}]}
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value) == (
        f"expected run lengths or polygons of 90x60 in annotation 0 of masks 'masks.json'; got {got}; "
        'write "segmentation" as {"size": [height, width], "counts": ...} or [[x0, y0, ...]]'
    )


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_same_aspect_is_resized_with_a_notice(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    palette_image(TRUE).save(path)
    got = read(path, width=183, height=121)
    assert got.labels.shape == (121, 183)
    assert got.notices == ("masks 'masks.png' resized from 90x60 to 183x121 (nearest neighbour)",)
    assert set(np.unique(got.labels)) <= {0, 1, 2, 3}
    assert np.count_nonzero(got.labels == 2) == pytest.approx(900 * 121 / 60 * 183 / 90, rel=0.02)


def test_another_aspect_names_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    palette_image(TRUE).save(path)
    with pytest.raises(ShapeError) as error:
        read(path, width=60, height=90)
    assert str(error.value) == (
        "expected masks 'masks.png' of the photo's size 60x90, or of the same aspect; got 90x60; "
        "give masks made from this very photo (same crop, same rotation)"
    )


def test_nearest_takes_the_pixel_under_the_centre() -> None:
    assert resize_nearest(np.arange(4)[None], 1, 2).tolist() == [[1, 3]]
    assert resize_nearest(np.arange(3)[None], 2, 6).tolist() == [[0, 0, 1, 1, 2, 2]] * 2


@given(st.integers(2, 3000), st.integers(2, 3000), st.floats(0.1, 4))
def test_a_scaled_size_has_the_same_aspect(w: int, h: int, s: float) -> None:
    assert same_aspect((max(1, round(w * s)), max(1, round(h * s))), (w, h))


def test_exif_rotation_of_the_mask_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    palette_image(np.rot90(TRUE).copy()).save(path, exif=exif)
    assert same(read(path))


# --- many, few, none ------------------------------------------------------------------------------------------------


def test_300_objects_are_fast_and_memory_flat(tmp_path: Path) -> None:
    y, x = np.mgrid[:1000, :1500]
    labels = (1 + (y // 50) + 20 * (x // 100)).astype(np.uint16)
    path = tmp_path / "masks.png"
    Image.fromarray(labels).save(path)
    start = time.process_time()
    tracemalloc.start()
    got = read(path, 1500, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(got) == 300 and (got.labels == labels).all()
    # A stack of 300 masks would take 450 MB; one label map of int64 takes 12 MB.
    assert peak < 60e6 and time.process_time() - start < 5


def test_more_objects_than_labels() -> None:
    with pytest.raises(InputError, match="expected at most 65535 objects in masks; got 65536"):
        read(np.arange(65537).reshape(1, -1), 65537, 1)


def test_one_pixel_and_everything() -> None:
    one = np.zeros((H, W), bool)
    one[59, 89] = True
    assert same(read(one), one)
    assert same(read(np.ones((H, W), np.uint8)), np.ones((H, W)))


def test_no_object(tmp_path: Path) -> None:
    path = tmp_path / "masks.png"
    palette_image(np.zeros((H, W), np.uint8)).save(path)
    with pytest.raises(NoObjectsError) as error:
        read(path)
    assert str(error.value) == (
        "expected at least one object in masks 'masks.png'; got background only; "
        "give a mask with a value other than 0, or leave the masks out to have objects found"
    )


def test_specks_are_kept_unless_asked_and_then_told() -> None:
    labels = TRUE.copy()
    labels[0, 0] = 1
    assert same(read(labels), labels)
    got = read(labels, min_area_px=2)
    assert same(got, np.where(TRUE == 3, 0, TRUE))
    assert got.notices == (
        "2 specks of less than 2 px dropped (2 pixels)",
        "1 mask without a visible pixel left out: 3",
    )


# --- broken files ---------------------------------------------------------------------------------------------------


def png_bytes() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (H, W), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.png", b"", "expected a picture in masks 'm.png'; got an empty file"),
        ("m.png", b"hello", "expected a picture in masks 'm.png'; got a file of another kind"),
        ("m.png", png_bytes()[:600], "expected a complete picture in masks 'm.png'; got"),
        ("m.npy", b"", "expected a NumPy file for masks 'm.npy'; got"),
        ("m.npz", b"PK\x03\x04", "expected a NumPy file for masks 'm.npz'; got"),
        ("m.json", b"{", "expected JSON in masks 'm.json'; got JSONDecodeError"),
        ("m.json", b'{"a": 1}', "expected COCO annotations in masks 'm.json'; got other JSON"),
        ("m.json", b"[]", "expected at least one annotation in masks 'm.json'; got none"),
        ("m.psd", b"8BPS", "expected a picture (.png, "),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(message)


def test_missing_file_and_no_masks(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path / "nothing.png")
    assert str(error.value) == (
        "expected a file or folder for masks 'nothing.png'; got nothing at that path; check the path"
    )
    with pytest.raises(NoObjectsError, match="expected masks; got none"):
        MaskFiles().segment(Photo(rgb=np.zeros((H, W, 3), np.uint8)), Prompts())


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match="expected a NumPy file for masks 'm.npy'"):
        read(tmp_path / "m.npy")


@pytest.mark.parametrize(
    "array", [np.full((H, W), 0.5), np.full((H, W), np.nan), np.full((H, W), -1), np.stack([TRUE, TRUE])]
)
def test_arrays_that_are_no_masks(array: NDArray[np.generic]) -> None:
    with pytest.raises(InputError):
        read(array)


def test_a_label_image_in_a_folder_of_masks_is_refused(tmp_path: Path) -> None:
    palette_image(TRUE).save(tmp_path / "all.png")
    with pytest.raises(InputError, match=r"one binary mask in 'all.png'.*; got 3 objects; give this file itself"):
        read(tmp_path)


# --- the photos that users have -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_given_masks_of_photos(mode: str) -> None:
    for path in sorted(PHOTOS.glob("*_masks.png")) if PHOTOS.is_dir() else []:
        with Image.open(path) as image:
            if image.mode != mode:
                continue
            values, (width, height) = np.asarray(image), image.size
        got = read(path, width, height)
        flat = values.reshape(height * width, -1).astype(np.int64)
        codes = flat @ (256 ** np.arange(flat.shape[1]))
        assert got.notices == () and len(got) == len(np.unique(codes)) - 1
        assert ((got.labels.reshape(-1) > 0) == (codes > 0)).all()
        if mode == "P":
            assert (got.labels == values).all()
