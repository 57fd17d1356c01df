"""A sample as files and back: the same bytes whether they lie in a scene folder or in a shard.

======================  ==========================================================================
``rgb.png``             (H, W, 3) uint8 sRGB
``labels.png``          (H, W) uint8 or uint16, i + 1 where object i is seen
``depth.npy``           (H, W) float32, z; NaN where unknown
``amodal.npz``          key ``amodal``: (n, H, W) bool; absent when unknown
``normals.npz``         key ``normals_cam``: (H, W, 3) float16; absent when unknown
``points.npz``          key ``points_obj``: (n, P, 6) float16; absent when P = 0
``scene.json``          the scene folder's, with a block ``data``
======================  ==========================================================================

float16 rounds points of ``obj`` by at most 1.3e-4 of the longest side, and normals by 0.03 degrees.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.artefacts import label_image
from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import Camera

VERSION = 1


def sample_files(sample: SceneSample) -> dict[str, bytes]:
    """The files of a sample, by name; equal samples give equal bytes."""
    return {**points_files(sample), **view_files(sample)}


def points_files(sample: SceneSample) -> dict[str, bytes]:
    """``points.npz``, which all views of a scene share; nothing where no points are known."""
    if not sample.points_obj.shape[1]:
        return {}
    return {"points.npz": _npz(points_obj=sample.points_obj.astype(np.float16))}


def view_files(sample: SceneSample, meshes: Sequence[str] | None = None) -> dict[str, bytes]:
    """All other files of a sample.

    Args:
        sample: The sample.
        meshes: Where the mesh of each object lies, relative to the scene folder; none in shards.
    """
    files = {
        "rgb.png": png_bytes(sample.rgb),
        "labels.png": png_bytes(label_image(sample.labels)),
        "depth.npy": _npy(sample.depth.astype(np.float32)),
    }
    if sample.amodal is not None:
        files["amodal.npz"] = _npz(amodal=sample.amodal)
    if sample.normals_cam is not None:
        files["normals.npz"] = _npz(normals_cam=sample.normals_cam.astype(np.float16))
    files["scene.json"] = (json.dumps(_to_dict(sample, meshes), indent=1, allow_nan=False) + "\n").encode()
    return files


def sample_from_files(files: Mapping[str, bytes], what: str) -> SceneSample:
    """The sample of such files.

    Args:
        files: Bytes by name.
        what: Where they come from, for the text of an error.

    Raises:
        InputError: A file is missing or damaged; the text names it.
    """
    name = "scene.json"
    try:
        data = json.loads(files[name])
        arrays: dict[str, Any] = {}
        for name in ("rgb.png", "labels.png"):
            arrays[name] = png_array(files[name])
        name = "depth.npy"
        arrays[name] = np.load(io.BytesIO(files[name]), allow_pickle=False)
        for name, key in (("amodal.npz", "amodal"), ("normals.npz", "normals_cam"), ("points.npz", "points_obj")):
            if name in files:
                with np.load(io.BytesIO(files[name]), allow_pickle=False) as stored:
                    arrays[name] = stored[key]
        name = "scene.json"
        return _from_dict(data, arrays)
    except KeyError as error:
        missing = name if name not in files else f"{name} without {error}"
        raise InputError(
            expected("the files of a sample", got=f"{what} without {missing}", remedy="make it again")
        ) from None
    except (ValueError, TypeError, OSError, EOFError, IndexError, zipfile.BadZipFile) as error:
        got = f"{name} of {what}: {error}"
        raise InputError(expected("whole files of a sample", got=got, remedy="make it again")) from None


def _to_dict(sample: SceneSample, meshes: Sequence[str] | None) -> dict[str, Any]:
    n = len(sample)
    modal = np.bincount(sample.labels.ravel(), minlength=n + 1)
    objects = []
    for i in range(n):
        amodal = {} if sample.amodal is None else {"amodal": int(sample.amodal[i].sum())}
        objects.append(
            {
                "id": i + 1,
                "name": sample.names[i],
                "label": sample.object_labels[i],
                "status": "ok",
                "mesh": None if meshes is None else meshes[i],
                "R_cam_obj": sample.R_cam_obj[i].tolist(),
                "t_cam_obj": sample.t_cam_obj[i].tolist(),
                "size": sample.size[i].tolist(),
                "scale": float(sample.scale[i]) if np.isfinite(sample.scale[i]) else None,
                "visible": int(modal[i + 1]),
                **amodal,
            }
        )
    visible = [None if not np.isfinite(f) else round(float(f), 6) for f in sample.visible_fraction]
    return {
        "version": VERSION,
        "width": sample.camera.width,
        "height": sample.camera.height,
        "K": sample.camera.K.tolist(),
        "T_cam_world": sample.camera.T_cam_world.tolist(),
        "up_cam": None if sample.up_cam is None else np.asarray(sample.up_cam).tolist(),
        "depth_scale": sample.depth_scale,
        "objects": objects,
        "data": {"key": sample.key, "source": sample.source, "visible_fraction": visible, **sample.info},
    }


def _from_dict(data: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SceneSample:
    placed = [i for i, o in enumerate(data["objects"]) if o["R_cam_obj"] is not None]  # skipped ones have no pose
    objects, extra = [data["objects"][i] for i in placed], dict(data.get("data", {}))
    n = len(objects)
    value = np.zeros(len(data["objects"]) + 1, np.uint16)
    value[1 + np.array(placed, np.int64)] = np.arange(1, n + 1)
    camera = Camera(K=data["K"], width=data["width"], height=data["height"], T_cam_world=data["T_cam_world"])
    normals, amodal = arrays.get("normals.npz"), arrays.get("amodal.npz")
    points = arrays.get("points.npz", np.zeros((n, 0, 6)))
    visible = [np.nan if f is None else f for f in extra.pop("visible_fraction", [])]
    if not visible and all(o.get("amodal") for o in objects):
        visible = [o["visible"] / o["amodal"] for o in objects]
    depth = arrays["depth.npy"].astype(np.float32)
    return SceneSample(
        key=extra.pop("key", ""),
        source=extra.pop("source", ""),
        camera=camera,
        rgb=np.ascontiguousarray(arrays["rgb.png"][..., :3]),
        labels=value[arrays["labels.png"]],
        depth=np.where(np.isfinite(depth), depth, np.float32(np.nan)),
        names=tuple(o["name"] for o in objects),
        object_labels=tuple(o.get("label") for o in objects),
        R_cam_obj=np.array([o["R_cam_obj"] for o in objects], np.float64).reshape(n, 3, 3),
        t_cam_obj=np.array([o["t_cam_obj"] for o in objects], np.float64).reshape(n, 3),
        size=np.array([o["size"] for o in objects], np.float64).reshape(n, 3),
        scale=np.array([np.nan if o["scale"] is None else o["scale"] for o in objects], np.float64),
        points_obj=points.astype(np.float32),
        up_cam=None if data.get("up_cam") is None else np.asarray(data["up_cam"], np.float64),
        amodal=None if amodal is None else amodal[placed],
        normals_cam=None if normals is None else normals.astype(np.float32),
        visible_fraction=np.array(visible, np.float64),
        depth_scale=data.get("depth_scale", "metric"),
        info=extra,
    )


def png_bytes(image: NDArray[Any], level: int = 1) -> bytes:
    """An RGB, grey or 16-bit image as PNG.

    Raises:
        InputError: The encoder refuses it.
    """
    import cv2

    pixels = image[..., [2, 1, 0]] if image.ndim == 3 and image.shape[2] == 3 else image
    pixels = pixels[..., [2, 1, 0, 3]] if image.ndim == 3 and image.shape[2] == 4 else pixels
    good, data = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, level])
    if not good:
        got = f"{image.dtype} {image.shape}"
        raise InputError(expected("an image of 8 or 16 bits", got=got, remedy="convert it to uint8"))
    return data.tobytes()


def png_array(data: bytes) -> NDArray[Any]:
    """(H, W) or (H, W, 3 or 4) pixels of a PNG, RGB order.

    Raises:
        ValueError: Not a whole picture.
    """
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        raise ValueError("not a whole picture")
    if image.ndim == 3:
        image = image[..., [2, 1, 0]] if image.shape[2] == 3 else image[..., [2, 1, 0, 3]]
    return np.asarray(image)


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


def _npz(**arrays: NDArray[Any]) -> bytes:
    """As ``numpy.savez_compressed``, without the date: the bytes depend on the arrays alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compresslevel=1) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _npy(array))
    return out.getvalue()
