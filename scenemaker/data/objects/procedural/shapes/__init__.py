"""Building blocks: every one gives a closed ``Part`` whose faces look outwards."""

from scenemaker.data.objects.procedural.shapes.box import box, cushion
from scenemaker.data.objects.procedural.shapes.curve import arc, circle, rectangle, smooth, star, superellipse
from scenemaker.data.objects.procedural.shapes.lathe import ball, lathe, ring, superquadric, tube, vessel, wedge
from scenemaker.data.objects.procedural.shapes.loft import loft
from scenemaker.data.objects.procedural.shapes.plate import holed_plate, plate, prism
from scenemaker.data.objects.procedural.shapes.stone import lumps, stone
from scenemaker.data.objects.procedural.shapes.sweep import beam, blade, rod, sweep

__all__ = [
    "arc",
    "ball",
    "beam",
    "blade",
    "box",
    "circle",
    "cushion",
    "holed_plate",
    "lathe",
    "loft",
    "lumps",
    "plate",
    "prism",
    "rectangle",
    "ring",
    "rod",
    "smooth",
    "star",
    "stone",
    "superellipse",
    "superquadric",
    "sweep",
    "tube",
    "vessel",
    "wedge",
]
