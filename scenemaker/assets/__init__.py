"""The example picture that ships: drawn by ``scripts/make_demo_picture.py``, its camera in EXIF, and its masks."""

from __future__ import annotations

from pathlib import Path


def demo_photo() -> Path:
    """A 1200x800 JPEG of five objects in a room: armchair (partly hidden), cushion, cabinet, plant, ball."""
    return Path(__file__).parent / "demo.jpg"


def demo_masks() -> Path:
    """Its masks: a palette PNG of the same size, 0 background, objects 1 to 5 in that order."""
    return Path(__file__).parent / "demo_masks.png"
