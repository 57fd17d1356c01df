"""Procedural objects: families of parametric shapes in natural materials, so that data need no asset.

``part``       one closed piece; an object is a list of them
``shapes``     bevelled boxes, lathes, sweeps, plates, stones: every one a closed ``Part``
``materials``  colours that go together, patterns as tiles
``families``   what can be drawn, one function each, by kind
``paint``      parts -> a mesh with an atlas or vertex colours
``source``     ``ProceduralSource``
"""

from scenemaker.data.objects.procedural.source import ProceduralSource, family_names

__all__ = ["ProceduralSource", "family_names"]
