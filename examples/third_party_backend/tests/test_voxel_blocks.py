"""The conformance kit of scenemaker on this backend, and what only this backend promises."""

from __future__ import annotations

import numpy as np
from scenemaker_voxel_blocks import VoxelBlocks

from scenemaker.testing import Check, Subject, make_sample, parametrise

SUBJECT = Subject("generation", VoxelBlocks)


@parametrise("generation")
def test_conformance(check: Check) -> None:
    check(SUBJECT)


def test_resolution_is_the_number_of_blocks() -> None:
    views = make_sample(1).views_whole
    for resolution in (8, 24):
        (made,) = VoxelBlocks(VoxelBlocks.Config(resolution=resolution)).generate(views, seed=0)
        assert np.allclose(np.unique(np.diff(np.unique(made.mesh.vertices[:, 1]))), 1 / resolution, atol=1e-6)


def test_colours_are_the_views() -> None:
    views = make_sample(2).views_whole
    for view, made in zip(views, VoxelBlocks().generate(views, seed=0), strict=True):
        seen = view.rgba[view.mask_amodal][:, :3].mean(0)
        assert np.abs(made.mesh.colors.mean(0) - seen).max() < 40
