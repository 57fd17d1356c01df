"""All photos of a folder through the preset `instant`: does it run, is every mesh a solid, is every GLB valid, does
the scene cover the masks?

    python benchmarks/photos.py --photos DIR [--given masks boxes auto] [--cuts square 3:2 2:3] [--only NAME...]

DIR holds NAME.jpg and NAME_masks.png. Each photo is run whole and cut to 3:2 and 2:3 about its centre (masks too).
`boxes` gives the boxes of the masks, `auto` nothing. IoU is that of the re-rendered scene with the masks that the run
used, from the written scene.glb; colour is the mean absolute error inside them, of 255; thick is the median over
objects of thickness (extent along the line of sight) over width.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

TOOLS = Path(__file__).parents[1] / "tests" / "tools"
CUTS = {"square": 1.0, "3:2": 1.5, "2:3": 2 / 3}


def centre_cut(image: np.ndarray[Any, Any], aspect: float) -> np.ndarray[Any, Any]:
    """The largest centred part of that width over height."""
    h, w = image.shape[:2]
    cut_w, cut_h = min(w, round(h * aspect)), min(h, round(w / aspect))
    x0, y0 = (w - cut_w) // 2, (h - cut_h) // 2
    return image[y0 : y0 + cut_h, x0 : x0 + cut_w]


def jobs(args: argparse.Namespace) -> Iterator[tuple[Path, str, str]]:
    for photo in sorted(args.photos.glob("*.jpg")):
        if not args.only or photo.stem in args.only:
            for given in args.given:
                for cut in args.cuts:
                    yield photo, given, cut


def boxes_of(labels: np.ndarray[Any, Any]) -> list[tuple[int, int, int, int]]:
    """(x0, y0, x1, y1) of every label."""
    out = []
    for i in np.unique(labels)[1:]:
        v, u = np.nonzero(labels == i)
        out.append((int(u.min()), int(v.min()), int(u.max()) + 1, int(v.max()) + 1))
    return out


def one(job: tuple[Path, str, str]) -> dict[str, Any]:
    """One run, checked from the files it wrote."""
    from scenemaker import Scene, ScenePipeline
    from scenemaker.inputs import load_photo
    from scenemaker.perception.masks import MaskFiles
    from scenemaker.scene import Prompts

    photo_path, given, cut = job
    row: dict[str, Any] = {"photo": photo_path.stem, "given": given, "cut": cut}
    try:
        photo = load_photo(photo_path)
        labels = MaskFiles().segment(photo, Prompts(masks=photo_path.with_name(f"{photo_path.stem}_masks.png"))).labels
        rgb, labels = centre_cut(photo.rgb, CUTS[cut]), centre_cut(labels, CUTS[cut])
        if not labels.any():
            return {**row, "empty": True}
        told = {"masks": {"masks": labels}, "boxes": {"boxes": boxes_of(labels)}, "auto": {}}[given]
        with (
            tempfile.TemporaryDirectory() as folder,
            ScenePipeline.from_preset("instant", cache_dir=None) as pipe,
        ):
            run = pipe.run(rgb, **told, out=folder).scene
            scene = Scene.load(folder)
            scores = (run or scene).run["scores"]
            meshes = [o.mesh for o in scene.placed if o.mesh is not None]
            row |= {
                "objects": len(scene.objects),
                "solid": all(m.is_closed() and m.volume() > 0 for m in meshes),
                "thick": [thickness_over_width(o) for o in scene.placed],
                "iou": scores["mask_iou"],
                "colour": scores["colour_error"],
                "skipped": len(scene.skipped),
            }
            row["glb_errors"] = glb_errors(sorted(Path(folder).rglob("*.glb")))
    except Exception:
        row["crash"] = traceback.format_exc(limit=-3)
    return row


def thickness_over_width(item: Any) -> float:
    """Median over the silhouette of the solid's extent along the line of sight, over the silhouette's mean width.

    The silhouette's mean width is its area over its longer side, so that thin, tall things are not called flat.
    """
    from scenemaker.geometry import transforms
    from scenemaker.geometry.raycast import RayCaster

    points = transforms.apply(item.S_cam_obj, item.mesh.vertices)
    centre = points.mean(0)
    axis = centre / np.linalg.norm(centre)
    side = np.cross(axis, [0, 1.0, 0])
    side /= np.linalg.norm(side)
    up = np.cross(axis, side)
    local = (points - centre) @ np.stack([side, up, axis], 1)
    lo, hi = local.min(0), local.max(0)
    n = 48
    gx, gy = np.meshgrid(np.linspace(lo[0], hi[0], n + 2)[1:-1], np.linspace(lo[1], hi[1], n + 2)[1:-1])
    basis = np.stack([side, up, axis], 1)
    reach = (hi[2] - lo[2]) * 1.5 + 1e-6
    start = np.stack([gx, gy, np.full_like(gx, lo[2] - reach)], -1).reshape(-1, 3) @ basis.T + centre
    caster = RayCaster([item.mesh], [item.S_cam_obj])
    near = caster.cast(start, np.tile(axis, (len(start), 1)))
    far = caster.cast(start + axis * (hi[2] - lo[2] + 2 * reach), np.tile(-axis, (len(start), 1)))
    hit = (near.index >= 0) & (far.index >= 0)
    if not hit.any():
        return 0.0
    thick = (hi[2] - lo[2] + 2 * reach) - near.distance[hit] - far.distance[hit]
    cell = (hi[0] - lo[0]) / n * (hi[1] - lo[1]) / n
    width = hit.sum() * cell / max(hi[0] - lo[0], hi[1] - lo[1])
    return float(np.median(thick) / width)


def glb_errors(files: list[Path]) -> int:
    """Errors that the Khronos validator finds."""
    command = ["node", str(TOOLS / "validate_glb.js"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if len(lines) != len(files):
        raise RuntimeError(f"the validator did not run (npm ci --prefix {TOOLS}): {done.stderr.strip()}")
    return sum(line["errors"] for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--given", nargs="+", default=["masks", "boxes", "auto"], choices=["masks", "boxes", "auto"])
    parser.add_argument("--cuts", nargs="+", default=list(CUTS), choices=list(CUTS))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    todo = list(jobs(args))
    with Pool(args.workers) as pool:
        rows = []
        for row in pool.imap_unordered(one, todo):
            rows.append(row)
            if "crash" in row:
                print(f"CRASH {row['photo']} {row['given']} {row['cut']}\n{row['crash']}")
    print("| given | cut | runs | crashes | skipped | all solid | GLB errors | mean IoU | worst IoU | colour | thick |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for given in args.given:
        for cut in args.cuts:
            all_rows = [r for r in rows if r["given"] == given and r["cut"] == cut and "empty" not in r]
            good = [r for r in all_rows if "crash" not in r]
            if not good:
                continue
            iou = [r["iou"] for r in good]
            thick = np.median([t for r in good for t in r["thick"]])
            skipped, crashes = sum(r["skipped"] for r in good), len(all_rows) - len(good)
            print(
                f"| {given} | {cut} | {len(all_rows)} | {crashes} | {skipped} "
                f"| {all(r['solid'] for r in good)} | {sum(r['glb_errors'] for r in good)} | {np.mean(iou):.3f} "
                f"| {min(iou):.3f} ({good[int(np.argmin(iou))]['photo']}) | {np.mean([r['colour'] for r in good]):.1f} "
                f"| {thick:.2f} |"
            )


if __name__ == "__main__":
    main()
