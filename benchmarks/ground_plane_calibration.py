"""Fits the numbers in ``perception/tilt.py`` on made scenes and gives their cross-validated error.

    python -m benchmarks.made_scenes MESHES -o MADE.npz --count 450
    python -m benchmarks.ground_plane_calibration MADE.npz

Prints the regression's coefficients and residual (copied by hand into ``tilt``), then the tilt error of the whole
estimate with the regression fitted on nine tenths of the scenes and tested on the rest, in turn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.made_scenes import load
from scenemaker.geometry.cameras import F64
from scenemaker.perception import lines, silhouettes, tilt

RIDGE = 1.0
FOLDS = 10


def fit(features: F64, pitch_deg: F64) -> F64:
    """(f,) ridge regression; the constant is not shrunk."""
    shrink = RIDGE * np.eye(features.shape[1])
    shrink[0, 0] = 0
    return np.linalg.solve(features.T @ features + shrink, features.T @ pitch_deg)


def main() -> None:
    """Prints the fit and its cross-validated errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("made", type=Path)
    rows, edges, truth = [], [], []
    for scene in load(parser.parse_args().made):
        cues = silhouettes.measure(scene.labels, scene.K)
        if cues is None:
            continue
        segments = lines.find_segments(cv2.cvtColor(scene.rgb, cv2.COLOR_RGB2GRAY), scene.labels)
        rows.append(tilt.features(cues))
        edges.append(lines.log_likelihood(segments, scene.K, np.radians(tilt.PITCHES_DEG)))
        truth.append(scene.pitch_deg)
    features, pitch = np.array(rows), np.array(truth)
    fold = np.arange(len(pitch)) % FOLDS
    held_out = np.empty(len(pitch))
    for k in range(FOLDS):
        held_out[fold == k] = features[fold == k] @ fit(features[fold != k], pitch[fold != k])
    residual = float(np.std(held_out - pitch))
    print("COEFFICIENTS =", np.round(fit(features, pitch), 2).tolist())
    print(f"RESIDUAL_DEG = {residual:.1f}")
    with_edges = []
    for mean, evidence in zip(held_out, edges):
        p = tilt.combine(mean, residual, evidence)
        with_edges.append(tilt.quantiles(p, (0.5,))[0])
    print(f"{len(pitch)} made scenes, {FOLDS}-fold cross-validation, tilt error in degrees: mean, median")
    for name, guess in (
        ("fixed 30", np.full(len(pitch), 30.0)),
        ("median of all", np.full(len(pitch), np.median(pitch))),
        ("masks", held_out),
        ("masks and edges", np.array(with_edges)),
    ):
        error = np.abs(guess - pitch)
        print(f"  {name:16}{error.mean():7.2f}{np.median(error):7.2f}")


if __name__ == "__main__":
    main()
