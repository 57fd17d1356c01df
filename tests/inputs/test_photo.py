"""Photos of every kind, and the exact text for those that cannot be used."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from scenemaker.errors import FrameError, InputError, ShapeError
from scenemaker.inputs import in_photo_pixels, load_photo
from scenemaker.scene import DepthPrompt, Photo, Prompts

W, H = 90, 60


def pixels(w: int = W, h: int = H) -> np.ndarray[Any, Any]:
    """A non-square picture in which every corner has another colour."""
    x, y = np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h))
    return np.round(np.stack([255 * x, 255 * y, 255 * (1 - x) * y], -1)).astype(np.uint8)


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def rgb() -> np.ndarray[Any, Any]:
    return pixels()


def test_every_form_of_a_picture_gives_the_same_pixels(rgb: np.ndarray[Any, Any], tmp_path: Path) -> None:
    image = PIL.Image.fromarray(rgb)
    path = tmp_path / "ein Foto – 写真.png"
    image.save(path)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, rgb, Photo(rgb=rgb)):
        photo = load_photo(source)
        assert np.array_equal(photo.rgb, rgb)
        assert photo.K is None
        assert photo.notices == ()
        assert (photo.width, photo.height, photo.source_px) == (W, H, None)
    assert load_photo(path).name == "ein Foto – 写真"
    assert load_photo(path.read_bytes()).name == "photo"
    assert load_photo(path, name="mine").name == "mine"


def test_the_file_is_closed_again(rgb: np.ndarray[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(rgb).save(path)
    load_photo(path)
    fds = Path("/proc/self/fd")
    if fds.is_dir():  # elsewhere ResourceWarning is an error and says the same
        links = [fd.readlink() for fd in fds.iterdir() if fd.is_symlink() and fd.exists()]
        assert path not in links


def test_arrays_of_all_kinds(rgb: np.ndarray[Any, Any]) -> None:
    assert np.array_equal(load_photo(rgb.astype(np.uint16) * 257).rgb, rgb)
    assert np.array_equal(load_photo(rgb / np.float32(255)).rgb, rgb)
    grey = rgb[..., 0]
    assert np.array_equal(load_photo(grey).rgb, np.dstack([grey] * 3))
    assert np.array_equal(load_photo(grey[..., None]).rgb, np.dstack([grey] * 3))
    assert np.array_equal(load_photo(grey > 127).rgb[..., 1], (grey > 127) * 255)
    faint = load_photo(np.full((H, W), 4095, np.uint16))
    assert (faint.rgb == 16).all()  # 12 bits in 16 stay dark: the full range is the scale


def test_an_array_is_copied(rgb: np.ndarray[Any, Any]) -> None:
    photo = load_photo(rgb)
    before = photo.rgb.copy()
    rgb[:] = 0
    assert np.array_equal(photo.rgb, before)


def test_alpha_is_put_on_white(rgb: np.ndarray[Any, Any]) -> None:
    alpha = np.full((H, W, 1), 255, np.uint8)
    alpha[: H // 2] = 0
    alpha[H // 2] = 128
    rgba = np.dstack([rgb, alpha])
    for source in (rgba, encoded(PIL.Image.fromarray(rgba))):
        photo = load_photo(source)
        assert (photo.rgb[: H // 2] == 255).all()
        assert np.array_equal(photo.rgb[H // 2 + 1 :], rgb[H // 2 + 1 :])
        half = (rgb[H // 2].astype(int) * 128 + 255 * 127) / 255
        assert np.abs(photo.rgb[H // 2] - half).max() <= 1
        assert photo.notices == ("transparent parts were put on white",)
    opaque = load_photo(np.dstack([rgb, np.full((H, W), 255, np.uint8)]))
    assert np.array_equal(opaque.rgb, rgb)
    assert opaque.notices == ()


def test_modes_of_picture_files(rgb: np.ndarray[Any, Any]) -> None:
    image = PIL.Image.fromarray(rgb)
    grey = np.asarray(image.convert("L"))
    grey3 = np.dstack([grey] * 3)
    deep = grey.astype(np.uint16) * 257
    bits = np.where(grey > 127, 255, 0)
    assert np.array_equal(load_photo(encoded(image.convert("L"))).rgb, grey3)
    assert np.array_equal(load_photo(encoded(image.convert("LA"))).rgb, grey3)
    assert np.array_equal(load_photo(encoded(PIL.Image.fromarray(deep))).rgb, grey3)
    assert np.array_equal(load_photo(encoded(PIL.Image.fromarray(deep), "TIFF")).rgb, grey3)
    assert np.array_equal(load_photo(encoded(PIL.Image.fromarray(grey / np.float32(255)), "TIFF")).rgb, grey3)
    assert np.array_equal(load_photo(encoded(PIL.Image.fromarray(grey > 127))).rgb[..., 2], bits)
    palette = image.quantize(64)
    assert np.array_equal(load_photo(encoded(palette)).rgb, np.asarray(palette.convert("RGB")))
    assert np.array_equal(load_photo(encoded(image, "WEBP", lossless=True)).rgb, rgb)
    cmyk = load_photo(encoded(image.convert("CMYK"), "TIFF"))
    assert np.abs(cmyk.rgb.astype(int) - rgb).max() <= 1
    assert cmyk.notices == ("CMYK without a profile: its colours are approximate",)


def test_transparent_palette_colour_becomes_white() -> None:
    index = np.zeros((H, W), np.uint8)
    index[:, : W // 3] = 1
    image = PIL.Image.fromarray(index).convert("P")
    image.putpalette([10, 20, 30, 200, 0, 0])
    photo = load_photo(encoded(image, transparency=0))
    assert (photo.rgb[:, W // 3 :] == 255).all()
    assert (photo.rgb[:, : W // 3] == (200, 0, 0)).all()


def test_first_frame_of_an_animation(rgb: np.ndarray[Any, Any]) -> None:
    first, second = PIL.Image.new("RGB", (W, H), (255, 0, 0)), PIL.Image.new("RGB", (W, H), (0, 0, 255))
    photo = load_photo(encoded(first, "GIF", save_all=True, append_images=[second]))
    assert (photo.rgb == (255, 0, 0)).all()
    assert photo.notices == ("only the first of 2 frames was used",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_pixels_and_focal_length(rgb: np.ndarray[Any, Any], orientation: int) -> None:
    turn = {  # what a viewer must do, written with NumPy alone
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: np.rot90(a, 1),
    }[orientation]
    image = PIL.Image.fromarray(rgb)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0x920A: 5.0, 0xA20E: 3000.0, 0xA20F: 6000.0, 0xA210: 3})
    photo = load_photo(encoded(image, exif=exif))
    assert np.array_equal(photo.rgb, turn(rgb))
    h, w = photo.rgb.shape[:2]
    fx, fy = (1500.0, 3000.0) if orientation < 5 else (3000.0, 1500.0)  # 5 mm at 300 and 600 px per mm
    assert photo.K is not None
    assert np.allclose(photo.K, [[fx, 0, w / 2], [0, fy, h / 2], [0, 0, 1]])
    assert photo.source_px is None


def exif_jpeg(w: int, h: int, **tags: Any) -> bytes:
    names = {"f35": 0xA405, "f": 0x920A, "plane_x": 0xA20E, "unit": 0xA210, "was_w": 0xA002, "was_h": 0xA003}
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769).update({names[k]: v for k, v in tags.items()})
    return encoded(PIL.Image.fromarray(pixels(w, h)), "JPEG", exif=exif, quality=90)


def test_focal_length_of_35_mm_film_is_by_the_diagonal() -> None:
    photo = load_photo(exif_jpeg(400, 300, f35=26))
    assert photo.K is not None
    assert photo.K[0, 0] == pytest.approx(26 / 43.266615 * 500)
    assert photo.K[1, 1] == photo.K[0, 0]
    assert photo.K[:2, 2].tolist() == [200, 150]


def test_focal_length_of_a_file_resized_after_it_was_taken() -> None:
    whole = load_photo(exif_jpeg(400, 300, f=6.0, plane_x=2540.0, unit=2)).K
    half = load_photo(exif_jpeg(200, 150, f=6.0, plane_x=2540.0, unit=2, was_w=400, was_h=300)).K
    assert whole is not None
    assert half is not None
    assert whole[0, 0] == pytest.approx(600)  # 6 mm at 100 px per mm
    assert half[0, 0] == pytest.approx(300)


def test_focal_length_that_cannot_be_right_is_not_used() -> None:
    cropped = load_photo(exif_jpeg(200, 200, f35=26, was_w=400, was_h=300))
    assert cropped.K is None
    assert cropped.notices == (
        "the focal length in EXIF was not used: the picture was cropped after it was taken "
        "(400x300 px then, 200x200 px now)",
    )
    absurd = load_photo(exif_jpeg(400, 300, f35=60000))
    assert absurd.K is None
    assert absurd.notices == ("the focal length in EXIF was not used: 693375 px on 400x300 px is not believable",)
    for unknown in ({"f35": 0}, {"f": 5.0}, {"plane_x": 300.0}, {}):
        assert load_photo(exif_jpeg(400, 300, **unknown)).K is None


def test_the_users_K_wins_over_exif() -> None:
    photo = load_photo(exif_jpeg(400, 300, f35=26), K="500,510,190,160")
    assert photo.K is not None
    assert photo.K.tolist() == [[500, 0, 190], [0, 510, 160], [0, 0, 1]]
    with pytest.raises(FrameError):
        load_photo(pixels(), K=np.zeros((3, 3)))


def test_no_position_survives(rgb: np.ndarray[Any, Any], tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010F] = "SecretMaker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    photo = load_photo(encoded(PIL.Image.fromarray(rgb), "JPEG", exif=exif, comment=b"SecretComment"))
    assert set(vars(photo)) == {"rgb", "K", "name", "notices", "source_px"}
    assert type(photo.rgb) is np.ndarray
    assert "Secret" not in repr(vars(photo))


def test_broken_exif_does_not_lose_the_picture(rgb: np.ndarray[Any, Any]) -> None:
    data = encoded(PIL.Image.fromarray(rgb), "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert np.array_equal(load_photo(data).rgb, rgb)


def test_icc_profile_is_applied() -> None:
    # a matrix profile like sRGB's but with red and green primaries exchanged: colours must come out exchanged
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    n = struct.unpack_from(">I", srgb, 128)[0]
    where = {bytes(srgb[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(n)}
    srgb[where[b"rXYZ"] : where[b"rXYZ"] + 4], srgb[where[b"gXYZ"] : where[b"gXYZ"] + 4] = b"gXYZ", b"rXYZ"
    offset, size = struct.unpack_from(">II", srgb, where[b"desc"] + 4)
    text = bytes(srgb[offset : offset + size])  # the built-in description would say sRGB
    srgb[offset : offset + size] = text.replace(b"s\x00R\x00G\x00B", b"x\x00R\x00G\x00B").replace(b"sRGB", b"xRGB")
    image = PIL.Image.new("RGB", (W, H), (200, 40, 90))
    photo = load_photo(encoded(image, icc_profile=bytes(srgb)))
    assert np.abs(photo.rgb[0, 0].astype(int) - (40, 200, 90)).max() <= 2
    assert photo.notices == ()
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (load_photo(encoded(image, icc_profile=plain)).rgb == (200, 40, 90)).all()


def test_broken_icc_profile_is_said_and_left(rgb: np.ndarray[Any, Any]) -> None:
    photo = load_photo(encoded(PIL.Image.fromarray(rgb), icc_profile=b"not a profile" * 20))
    assert np.array_equal(photo.rgb, rgb)
    assert photo.notices == ("its colour profile is damaged or does not fit and was not used",)


def test_a_large_photo_is_made_smaller_with_its_K_boxes_and_points() -> None:
    big = pixels(1500, 1000)
    for source in (big, encoded(PIL.Image.fromarray(big), "JPEG", quality=95), encoded(PIL.Image.fromarray(big))):
        photo = load_photo(source, K="1500,1500,750,500", max_pixels=30_000)
        assert photo.width * photo.height <= 30_000
        assert photo.width / photo.height == pytest.approx(1.5, rel=0.01)
        assert photo.source_px == (1500, 1000)
        assert photo.notices[-1] == f"photo made smaller for work, from 1500x1000 to {photo.width}x{photo.height} px"
        s = photo.width / 1500
        assert photo.K is not None
        assert photo.K[0, 0] == pytest.approx(1500 * s)
        assert photo.K[1, 2] == pytest.approx(photo.height / 2)
        ideal = pixels(photo.width, photo.height).astype(int)
        assert np.abs(photo.rgb.astype(int) - ideal).max() <= 6  # a ramp stays the same ramp
        prompts, depth = in_photo_pixels(
            photo,
            Prompts(boxes_px=((0, 0, 1500, 1000),), points_px=((750, 250),)),
            DepthPrompt(K=np.array([[1500.0, 0, 750], [0, 1500, 500], [0, 0, 1]])),
        )
        assert prompts.boxes_px[0] == pytest.approx((0, 0, photo.width, photo.height))
        assert prompts.points_px[0] == pytest.approx((photo.width / 2, photo.height / 4))
        assert np.allclose(depth.K, photo.K)
    kept = load_photo(big, max_pixels=None)
    assert kept.rgb.shape == big.shape
    assert in_photo_pixels(kept, Prompts(points_px=((3, 4),)))[0].points_px == ((3, 4),)


def test_sixty_megapixels(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    PIL.Image.new("RGB", (9488, 6328), (90, 120, 30)).save(path)
    photo = load_photo(path)
    assert photo.rgb.shape[0] * photo.rgb.shape[1] <= 2**22
    assert photo.source_px == (9488, 6328)
    assert np.abs(photo.rgb.astype(int) - (90, 120, 30)).max() <= 2


def test_very_wide() -> None:
    assert load_photo(np.zeros((400, 8000, 3), np.uint8)).rgb.shape == (400, 8000, 3)
    assert min(load_photo(np.zeros((33, 300_000), np.uint8)).rgb.shape[:2]) == 32


def png_header(w: int, h: int) -> bytes:
    """A PNG that says it is w x h and holds next to nothing: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def message(source: Any, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        load_photo(source)
    return str(caught.value)


def test_bad_files(tmp_path: Path, rgb: np.ndarray[Any, Any]) -> None:
    empty, text, cut, raw = (tmp_path / n for n in ("empty.png", "notes.jpg", "cut.jpg", "DSC.NEF"))
    empty.write_bytes(b"")
    text.write_text("this is no picture")
    cut.write_bytes(encoded(PIL.Image.fromarray(rgb), "JPEG")[:700])
    raw.write_bytes(b"II*\x00" + bytes(100))
    gone = tmp_path / "gone.png"
    assert message(gone) == f"expected a picture file; got {gone}: no such file; check the path"
    assert message(tmp_path) == f"expected a picture file; got {tmp_path}: a folder; give the picture itself"
    assert message(empty) == f"expected a picture file; got {empty}: an empty file; copy or download it again"
    assert message(text) == (f"expected a picture; got {text}: not an image that can be read; save it as JPEG or PNG")
    truncated = message(cut)
    assert truncated.startswith(f"expected a whole picture; got {cut}: ")
    assert "truncated" in truncated
    assert truncated.endswith("; copy or download it again, or save it as PNG")
    assert message(raw) == (
        f"expected a developed picture; got {raw}: a camera raw file; develop it to JPEG or PNG first"
    )
    assert message(b"") == "expected a picture; got no bytes; give the bytes of an image file"
    assert message("https://example.com/a.jpg") == (
        "expected a picture file; got https://example.com/a.jpg; download it and give its path"
    )
    assert message("no\0name") == "expected a picture file; got no\0name: no such file; check the path"


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_truncated_anywhere_is_an_input_error(kind: str, keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind)
    with pytest.raises(InputError):
        load_photo(data[: int(len(data) * keep)])


def test_decompression_bombs() -> None:
    assert message(png_header(12000, 12000)) == (
        f"expected a picture of at most 120 megapixels; got {len(png_header(12000, 12000))} bytes: 144 megapixels; "
        "make it smaller first"
    )
    assert message(png_header(60000, 60000)) == (
        f"expected a picture of at most 120 megapixels; got {len(png_header(60000, 60000))} bytes: 3600 megapixels; "
        "make it smaller first"
    )


@pytest.mark.parametrize(("w", "h"), [(1, 1), (12000, 20), (31, 400)])
def test_too_small(w: int, h: int) -> None:
    assert message(np.zeros((h, w, 3), np.uint8)) == (
        f"expected a photo of at least 32 px on each side; got {w}x{h} px; give a larger one"
    )


def test_bad_arrays() -> None:
    image = np.zeros((H, W, 3))
    assert message(image + 2.0) == "expected a float image in [0, 1]; got values from 2 to 2; scale it, or give uint8"
    assert message(image * np.nan) == (
        "expected a float image in [0, 1]; got values from nan to nan; scale it, or give uint8"
    )
    assert message(image.astype(np.int64), ShapeError) == (
        "expected an image of uint8, uint16, float or bool; got dtype int64; give uint8"
    )
    assert message(np.zeros((3, H, W), np.uint8), ShapeError) == (
        "expected an image array (H, W), (H, W, 3) or (H, W, 4); got shape (3, 60, 90); move the channels last"
    )
    assert message(np.zeros((2, H, W, 3), np.uint8), ShapeError) == (
        "expected an image array (H, W), (H, W, 3) or (H, W, 4); got shape (2, 60, 90, 3); give one picture"
    )
    assert message(7) == (
        "expected a photo as a path, bytes, a PIL image, an array or a Photo; got int; give one of these"
    )
    assert message(Photo(rgb=np.zeros((H, W), np.uint8)), ShapeError) == (
        "expected Photo.rgb as uint8 (H, W, 3); got uint8 (60, 90); build it with load_photo(array)"
    )


def test_heic_without_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)
    assert message(data) == (
        "expected a picture that can be read here; got 64 bytes: HEIC, whose reader is not installed; "
        'type: pip install "scenemaker[heic]", or save it as JPEG'
    )


def test_heic_with_its_reader(rgb: np.ndarray[Any, Any]) -> None:
    import pillow_heif

    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    out = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.fromarray(rgb)).save(out, quality=95, exif=exif.tobytes())
    photo = load_photo(out.getvalue())
    assert photo.rgb.shape == rgb.shape
    assert np.abs(photo.rgb.astype(int) - rgb).mean() < 6
    assert photo.K is not None
    assert photo.K[0, 0] == pytest.approx(26 / 43.266615 * np.hypot(W, H))
    assert message(out.getvalue()[:300]).startswith("expected a whole picture; got 300 bytes: ")
