"""The measures for training loops: torch, batched, on the device and in the dtype of what comes in.

    from scenemaker.evaluation import batched

    near = batched.nearest(pred, gt)                      # (b, n, 3), (b, m, 3)
    loss = batched.chamfer_squared(near).mean()           # differentiable
    f = batched.fscore(near, 0.1)                         # (b,)

They equal the NumPy versions in ``evaluation.measures``. Clouds of unequal size are padded to (b, n, 3) and given
with their ``lengths`` (b,); what stands in the padding, even NaN, changes nothing. Lengths are in the unit of the
points, angles in degrees. Half precision is computed and given in float32, also inside ``torch.autocast``.
"""

from scenemaker.errors import needs

needs("torch", "models")

from scenemaker.evaluation.batched.clouds import (  # noqa: E402
    Nearest,
    add_s,
    chamfer,
    chamfer_squared,
    emd,
    fscore,
    nearest,
)
from scenemaker.evaluation.batched.motion import (  # noqa: E402
    Icp,
    Rigid,
    Similarity,
    icp,
    kabsch,
    similarity,
)
from scenemaker.evaluation.batched.pictures import psnr  # noqa: E402
from scenemaker.evaluation.batched.poses import (  # noqa: E402
    aligned_box_iou,
    rotation_error_deg,
    size_ratio,
    translation_error,
)

__all__ = [
    "Icp",
    "Nearest",
    "Rigid",
    "Similarity",
    "add_s",
    "aligned_box_iou",
    "chamfer",
    "chamfer_squared",
    "emd",
    "fscore",
    "icp",
    "kabsch",
    "nearest",
    "psnr",
    "rotation_error_deg",
    "similarity",
    "size_ratio",
    "translation_error",
]
