"""The fast renderer: one exact ray per pixel, light by a few more, on the CPU and without any drawing library."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from scenemaker.data.render.environments import seen
from scenemaker.data.render.filters import Guide, cells, disc_samples, smooth
from scenemaker.data.render.shading import Points, Stage, columns, frames, square_from_disc
from scenemaker.data.render.textures import Floats
from scenemaker.data.render.tone import auto_exposure, to_srgb, tone_mapped
from scenemaker.data.render.truth import Hits, dot, ground_truth, rays_from_pixels
from scenemaker.data.types import NOTHING, Light, View, World
from scenemaker.geometry.cameras import Camera
from scenemaker.scene import F32, U8, Bool


class FastConfig(BaseModel):
    """How pictures are taken. None of it changes the ground truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: Literal["fast", "good"] = Field(default="fast", description="Rays per pixel: few, or six times as many.")
    exposure_ev: float = Field(default=0.0, ge=-6, le=6, description="Stops brighter than the automatic exposure.")
    blur_px: float = Field(default=0.0, ge=0, le=5, description="Sigma of the lens' blur, in pixels.")
    noise: float = Field(default=0.6, ge=0, le=50, description="Sigma of the sensor's noise, in steps of 8 bits.")
    jpeg_quality: int | None = Field(default=None, ge=10, le=100, description="Pass through JPEG of this quality.")


@dataclass(frozen=True)
class _Rays:
    """Rays per pixel: at edges, per lamp in half-shade, to all around."""

    edge: int
    shadow: int
    ambient: int


_RAYS = {"fast": _Rays(4, 4, 1), "good": _Rays(16, 32, 12)}
_SHARP_RAD = 0.03  # lamps that look smaller cast shadows whose half-shade is about a pixel wide
_SHINE = 4.0  # exposed light above this counts as this where an edge is averaged: highlights keep smooth rims


class FastRenderer:
    """Renders by Embree rays and NumPy: textures, soft shadows, light from all around, reflections, smooth edges."""

    name = "fast"

    def __init__(self, config: FastConfig | None = None) -> None:
        self.config = config or FastConfig()
        self._rays = _RAYS[self.config.quality]

    def render(self, world: World, cameras: Sequence[Camera]) -> list[View]:
        """One view per camera; a view does not depend on the others."""
        stage = Stage(world)
        return [self._view(stage, camera) for camera in cameras]

    def radiance(self, world: World, camera: Camera) -> F32:
        """(H, W, 3) linear light at the pixel centres: before exposure, and with hard edges."""
        stage = Stage(world)
        return _Picture(stage, camera, self._rays).centres

    def _view(self, stage: Stage, camera: Camera) -> View:
        picture = _Picture(stage, camera, self._rays)
        truth = ground_truth(stage.caster, camera, picture.primary)
        exposure = stage.world.exposure
        if exposure is None:
            exposure = auto_exposure(picture.centres) * 2.0**self.config.exposure_ev
        return View(
            camera=camera,
            rgb=self._developed(picture, exposure),
            labels=truth.labels,
            depth=truth.depth,
            normals_cam=truth.normals_cam,
            amodal=truth.amodal,
            in_frame=truth.in_frame,
            exposure=exposure,
        )

    def _developed(self, picture: _Picture, exposure: float) -> U8:
        config = self.config
        light = picture.with_smooth_edges(_SHINE / exposure) * np.float32(exposure)
        if config.blur_px:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), config.blur_px), np.float32)
        return augmented(to_srgb(tone_mapped(light)), config.noise, config.jpeg_quality)


class _Picture:
    """The light of one view.

    Attributes:
        primary: What is seen through the pixel centres.
        on: (n,) pixels where a surface is seen, in the order of ``points``.
        points: Those places.
        centres: (H, W, 3) linear light at the pixel centres.
    """

    def __init__(self, stage: Stage, camera: Camera, rays: _Rays) -> None:
        self.stage, self.camera, self.rays = stage, camera, rays
        h, w = camera.height, camera.width
        self.primary = stage.caster.primary(camera)
        self.origin = camera.centre_world.astype(np.float32)
        self.pixel = float(1 / np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
        hits, directions = self.primary.hits, self.primary.directions
        beyond, self.on = _sorted_by_index(hits)
        self.points = stage.points(self.origin, directions.take(self.on, 0), _take(hits, self.on), self.pixel)
        normal = self.points.normal
        self.guide = Guide(
            index=hits.index.reshape(h, w),
            normal=np.stack([self._image(n, 0) for n in normal]),
            offset=self._image(dot(normal, self.points.position), 0),
            tolerance=0.02 * stage.size,
        )
        cell = cells(self.on // w, self.on % w)
        self.lamp_share = [self._lamp_share(light, cell) for light in stage.world.lights]
        self.ambient_share = self._ambient_share(cell)
        out = np.empty((h * w, 3), np.float32)
        out[beyond] = seen(stage.world.environment.radiance, directions.take(beyond, 0))
        out[self.on] = stage.lit(self.points, self.ambient_share, self.lamp_share).T
        self.centres = out.reshape(h, w, 3)

    def _image(self, values: F32, empty: float) -> F32:
        """(H, W) values (n,) of the points, laid out as a picture."""
        out = np.full(self.camera.height * self.camera.width, empty, values.dtype)
        out[self.on] = values
        return out.reshape(self.camera.height, self.camera.width)

    def _lamp_share(self, light: Light, cell: NDArray[np.int64]) -> F32:
        """(n,) how much of a lamp the points see: one ray each, more where neighbours disagree."""
        count, points = self.rays.shadow, self.points
        first, places = (self.stage.lamp_places(light, disc_samples(k)) for k in (1, count))
        share = np.ones(len(points), np.float32)
        direction, _ = self.stage.lamp_light(points, light)
        facing = np.flatnonzero(dot(points.normal, direction) > 0)
        share[facing] = self.stage.lamp_seen(points.start.take(facing, 0), light, first[cell[facing], 0])
        sharp = (light.size if light.distance is None else light.size / light.distance) < _SHARP_RAD
        image, square = self._image(share, 1), np.ones((5, 5) if sharp else (7, 7), np.uint8)
        mixed = (cv2.dilate(image, square) != cv2.erode(image, square)).ravel()[self.on]
        rows = facing[mixed[facing]]
        hits = self.stage.lamp_seen(self._starts_around(rows, count), light, places[cell[rows]].reshape(-1, 3))
        share[rows] = (share[rows] + hits.reshape(-1, count).sum(1)) / np.float32(count + 1)
        soft = rows[(share[rows] > 0) & (share[rows] < 1)] if sharp else rows  # a sharp shadow keeps its rim
        softer = smooth(self._image(share, 1)[None], self.guide, wide=False).ravel()
        share[soft] = softer[self.on[soft]]
        return share

    def _starts_around(self, rows: NDArray[np.int64], count: int) -> Floats:
        """(len(rows) * count, 3) starts of rays, spread over the pixels' feet on the surface."""
        across, up = frames(self.points.facet.take(rows, 1))
        foot = self.primary.hits.distance.take(self.on[rows]) * np.float32(self.pixel / 2)
        across, up = columns(across * foot), columns(up * foot)
        offset = square_from_disc(disc_samples(count)[0])  # (count, 2): of the whole disc for any count
        spread = offset[:, :1] * across[:, None] + offset[:, 1:] * up[:, None]  # (rows, count, 3)
        return (self.points.start.take(rows, 0)[:, None] + spread).reshape(-1, 3)

    def _ambient_share(self, cell: NDArray[np.int64]) -> F32:
        """(3, n) share of the light from all around that arrives."""
        arrives, open_ = self.stage.ambient(self.points, disc_samples(self.rays.ambient)[cell])
        both = np.stack([self._image(np.ascontiguousarray(a[:, k]), 0) for a in (arrives, open_) for k in range(3)])
        both = smooth(both, self.guide, wide=True)
        share = np.minimum(both[:3] / np.maximum(both[3:], 1e-20), 2)
        return share.reshape(3, -1).take(self.on, 1)

    def with_smooth_edges(self, brightest: float) -> F32:
        """(H, W, 3) the light with more rays through the pixels at edges, each counted up to ``brightest``."""
        w = self.camera.width
        out = np.minimum(self.centres, np.float32(brightest))
        at = np.flatnonzero(self._edges())
        if not len(at):
            return out
        offsets = _subpixels(self.rays.edge)
        k = len(offsets)
        u = ((at % w)[:, None] + offsets[:, 0]).ravel()
        v = ((at // w)[:, None] + offsets[:, 1]).ravel()
        M = rays_from_pixels(self.camera)
        directions = (u[:, None] * M[:, 0] + v[:, None] * M[:, 1] + M[:, 2]).astype(np.float32)
        hits = self.stage.caster.nearest(np.broadcast_to(self.origin, directions.shape), directions)
        beyond, met = _sorted_by_index(hits)
        light = np.empty((len(directions), 3), np.float32)
        light[beyond] = seen(self.stage.world.environment.radiance, directions.take(beyond, 0))
        points = self.stage.points(self.origin, directions.take(met, 0), _take(hits, met), self.pixel / np.sqrt(k))
        light[met] = self._lit_near(points, at.take(met // k)).T
        mean = np.minimum(light, np.float32(brightest)).reshape(-1, k, 3).mean(1)
        out.reshape(-1, 3)[at] = mean
        return out

    def _lit_near(self, points: Points, pixel: NDArray[np.int64]) -> F32:
        """(3, n) light of points inside pixels: shaded as an alike pixel centre at or around it, else by own rays."""
        h, w = self.camera.height, self.camera.width
        row_of = np.full((h + 2, w + 2), -1, np.int32)
        row_of[1:-1, 1:-1].flat[self.on] = np.arange(len(self.on), dtype=np.int32)
        row_of = row_of.ravel()
        place = (pixel // w + 1) * (w + 2) + pixel % w + 1
        alike, left = np.full(len(points), -1, np.int32), np.arange(len(points))
        for dy, dx in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1)):
            row = row_of.take(place[left] + (dy * (w + 2) + dx))
            same = (row >= 0) & (self.points.index.take(row) == points.index.take(left))
            same &= dot(points.normal.take(left, 1), self.points.normal.take(row, 1)) > 0.9
            alike[left[same]] = row[same]
            left = left[~same]
        ambient = self.ambient_share.take(alike, 1)
        lamps = [share.take(alike) for share in self.lamp_share]
        if len(left):
            part, cell = points.take(left), np.arange(len(left)) % 64
            arrives, open_ = self.stage.ambient(part, disc_samples(8)[cell])
            ambient[:, left] = np.minimum(arrives / np.maximum(open_, 1e-20), 2).T
            for share, light in zip(lamps, self.stage.world.lights, strict=True):
                places = self.stage.lamp_places(light, disc_samples(1)[cell, 0])
                share[left] = self.stage.lamp_seen(part.start, light, places)
        return self.stage.lit(points, ambient, lamps)

    def _edges(self) -> Bool:
        """(H, W) where the surface breaks off or bends within a pixel or to the next."""
        h, w = self.camera.height, self.camera.width
        index, normal = self.guide.index, self.guide.normal
        near = (1 / self.primary.hits.distance).reshape(h, w)  # linear on a plane
        edge = np.zeros((h, w), np.bool_)
        for axis in (0, 1):
            here = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
            there = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
            a, b = normal[:, *here], normal[:, *there]
            bend = (a * b).sum(0) < 0.9
            step = (index[here] != index[there]) | (bend & (index[here] != NOTHING))
            edge[here] |= step
            edge[there] |= step
            middle = (slice(1, -1), slice(None)) if axis == 0 else (slice(None), slice(1, -1))
            low = (slice(None, -2), slice(None)) if axis == 0 else (slice(None), slice(None, -2))
            high = (slice(2, None), slice(None)) if axis == 0 else (slice(None), slice(2, None))
            kink = np.abs(near[low] + near[high] - 2 * near[middle]) > 0.02 * near[middle]
            edge[middle] |= kink & (near[middle] > 0)
        return edge


def augmented(rgb: U8, noise: float, jpeg_quality: int | None) -> U8:
    """The picture with sensor noise and JPEG's traces; equal pictures get equal noise."""
    if noise:
        start = zlib.crc32(rgb.tobytes()) % len(_grain())
        grain = np.resize(np.roll(_grain(), start), rgb.shape) * np.float32(noise)
        rgb = np.clip(rgb + grain + np.float32(0.5), 0, 255).astype(np.uint8)
    if jpeg_quality is not None:
        _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
        rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()
    return rgb


@cache
def _grain() -> F32:
    """(2^18 - 5,) normal deviates: a prime length, so that no pattern of it lines up in a picture."""
    return np.random.default_rng(0).standard_normal(2**18 - 5, np.float32)


def _subpixels(count: int) -> F32:
    """(count, 2) offsets in the pixel: a turned grid, so that no two share a row or a column."""
    side = round(count**0.5)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(side), np.arange(side)))
    x = (i + (j + 0.5) / side) / side
    y = (j + (side - i - 0.5) / side) / side
    return np.stack([x, y], 1)


def _sorted_by_index(hits: Hits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that hit nothing, and the others in the order of their index."""
    order = np.argsort(hits.index.astype(np.int16), kind="stable")  # a radix sort; NOTHING is the least
    nothing = int((hits.index == NOTHING).sum())
    return order[:nothing], order[nothing:]


def _take(hits: Hits, rows: NDArray[np.int64]) -> Hits:
    return Hits(
        index=hits.index.take(rows),
        face=hits.face.take(rows),
        bary=hits.bary.take(rows, 0),
        distance=hits.distance.take(rows),
    )
