"""Rigid bodies on the plane y = 0 in MuJoCo: let go one after another, stepped until they rest, asked who carries whom.

Convention: the frame is ``world`` (y up), gravity -y; a body's frame is ``obj`` times its scale, so that its pose is
R_world_obj and t_world_obj.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.layouts.orientation import R_from_quat
from scenemaker.data.types import NOTHING
from scenemaker.errors import BackendNotInstalledError, PlacementError, expected
from scenemaker.geometry.cameras import F64

GRAVITY = 9.81
CHUNK_S = 0.1  # how often it is looked whether all rest
PARKED = 100.0  # height above which bodies wait for their turn, without weight


class PhysicsOptions(BaseModel, frozen=True, extra="forbid"):
    """How the engine steps, and when all is at rest."""

    friction: float = Field(default=0.7, gt=0, description="Coulomb's coefficient between all surfaces.")
    rolling: float = Field(default=0.001, ge=0, description="Resistance to rolling, over the longest side.")
    damping: float = Field(
        default=4.0, ge=0, description="Rate at which the air takes velocity, per second: gentle falls."
    )
    seconds: float = Field(
        default=12.0, gt=0, description="Simulated time after the last release within which all rest."
    )
    timestep_s: float = Field(default=0.004, gt=0, le=0.01, description="Of the engine.")
    speed: float = Field(default=0.01, gt=0, description="Below it an object counts as resting: units per second.")
    spin: float = Field(default=0.03, gt=0, description="Below it an object counts as resting: radians per second.")
    still_s: float = Field(default=0.5, gt=0, description="For how long all must rest.")


class RigidWorld:
    """n bodies, parked without weight until ``release``d.

    Attributes:
        n: Number of bodies.
        scale: (n,) of each.
        options: How it steps.
    """

    def __init__(
        self, parts: Sequence[Sequence[F64]], scale: F64, options: PhysicsOptions, bin_half: float | None = None
    ) -> None:
        """Builds the model.

        Args:
            parts: Of each body, the corners (k, 3) of its convex parts in ``obj``.
            scale: (n,) of each body.
            options: How to step.
            bin_half: Half the side of a square bin about the origin; None is no bin.

        Raises:
            BackendNotInstalledError: MuJoCo is missing.
        """
        self._mj = mj = _mujoco()
        self.n, self.scale, self.options = len(parts), scale, options
        spec = mj.MjSpec()
        spec.option.gravity = [0, -GRAVITY, 0]
        spec.option.timestep = options.timestep_s
        spec.option.integrator = mj.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mj.mjtCone.mjCONE_ELLIPTIC
        spec.option.disableflags |= mj.mjtDisableBit.mjDSBL_AUTORESET  # what goes wrong is to be seen
        spec.option.impratio = 5  # stiffer friction: no creeping down slopes
        for quat, pos in _planes(bin_half):
            plane = spec.worldbody.add_geom(type=mj.mjtGeom.mjGEOM_PLANE, size=[1, 1, 1], quat=quat, pos=pos)
            self._surface(plane, 1.0)
        for i, (hulls, s) in enumerate(zip(parts, scale, strict=True)):
            body = spec.worldbody.add_body(name=str(i), gravcomp=1, pos=[0, PARKED + 2 * scale[: i + 1].sum(), 0])
            body.add_freejoint()
            for k, hull in enumerate(hulls):
                name = f"{i}/{k}"
                mesh = spec.add_mesh(name=name, uservert=(hull * s).ravel().tolist())
                mesh.inertia = mj.mjtMeshInertia.mjMESH_INERTIA_CONVEX
                geom = body.add_geom(type=mj.mjtGeom.mjGEOM_MESH, meshname=name, density=500.0)
                self._surface(geom, float(s))
        spec.compiler.boundinertia = 1e-4
        spec.compiler.balanceinertia = True
        self.model = spec.compile()
        self.data = mj.MjData(self.model)
        warning = mj.mjtWarning
        self._unstable = [int(w) for w in (warning.mjWARN_BADQPOS, warning.mjWARN_BADQVEL, warning.mjWARN_BADQACC)]
        mass, inertia = self.model.body_mass[1:], self.model.body_inertia[1:]  # (n,), (n, 3)
        per_dof = np.concatenate([np.repeat(mass[:, None], 3, 1), inertia], 1)
        self.model.dof_damping[:] = options.damping * per_dof.ravel()

    def _surface(self, geom: object, size: float) -> None:
        o = self.options
        geom.condim = 6  # type: ignore[attr-defined]  # with spin and roll
        geom.friction = [o.friction, 0.01 * size, o.rolling * size]  # type: ignore[attr-defined]
        geom.solref = [2.5 * o.timestep_s, 1]  # type: ignore[attr-defined]  # as stiff as the step allows
        geom.solimp = [0.95, 0.99, 0.002, 0.5, 2]  # type: ignore[attr-defined]

    def open_bin(self) -> None:
        """Takes the walls of the bin away."""
        walls = self.model.geom_bodyid == 0
        walls[0] = False  # the ground
        self.model.geom_contype[walls] = self.model.geom_conaffinity[walls] = 0

    def release(self, i: int, R_world_obj: F64, t_world_obj: F64) -> None:
        """Puts body i somewhere, at rest, and gives it its weight."""
        pose = self.data.qpos[7 * i : 7 * i + 7]
        pose[:3] = t_world_obj
        self._mj.mju_mat2Quat(pose[3:], np.ascontiguousarray(R_world_obj).ravel())
        self.data.qvel[6 * i : 6 * i + 6] = 0
        self.model.body_gravcomp[i + 1] = 0

    def run(self, seconds: float) -> None:
        """Steps for so long."""
        self._mj.mj_step(self.model, self.data, nstep=max(round(seconds / self.options.timestep_s), 1))

    def settle(self) -> float:
        """Steps until all have rested for a while; the simulated seconds it took.

        Raises:
            PlacementError: They do not come to rest in time.
        """
        o, still, t = self.options, 0.0, 0.0
        while t < o.seconds:
            self.run(CHUNK_S)
            t += CHUNK_S
            if any(self.data.warning[k].number for k in self._unstable):
                break
            v = self.data.qvel.reshape(self.n, 6)
            rests = (np.linalg.norm(v[:, :3], axis=1) < o.speed) & (np.linalg.norm(v[:, 3:], axis=1) < o.spin)
            still = still + CHUNK_S if rests.all() else 0.0
            if still >= o.still_s - 1e-9:
                return t
        what = f"objects at rest within {o.seconds} simulated seconds"
        raise PlacementError(expected(what, got="some still move", remedy="draw others, or raise seconds"))

    def poses(self) -> tuple[F64, F64]:
        """R_world_obj (n, 3, 3) and t_world_obj (n, 3)."""
        q = self.data.qpos.reshape(self.n, 7)
        return R_from_quat(q[:, 3:]), q[:, :3].copy()

    def support(self) -> list[int]:
        """What carries each body: that which pushes it upwards most, ``GROUND``, a body, or ``NOTHING``."""
        upward = np.zeros((self.n, self.n + 1))  # column 0 is the ground
        force = np.zeros(6)
        for k, contact in enumerate(self.data.contact):
            a, b = (int(self.model.geom_bodyid[g]) for g in contact.geom)
            self._mj.mj_contactForce(self.model, self.data, k, force)
            lift = float((contact.frame.reshape(3, 3).T @ force[:3])[1])  # on b, from a
            if b:
                upward[b - 1, a] += lift
            if a:
                upward[a - 1, b] -= lift
        best = upward.argmax(1)
        return [int(j) - 1 if upward[i, j] > 0 else NOTHING for i, j in enumerate(best)]


def _planes(bin_half: float | None) -> list[tuple[list[float], list[float]]]:
    """Turn (quaternion, scalar first) and place of the ground and of the walls; a plane's z points to the free side.

    The walls are where they stay: MuJoCo sorts what does not move when the model is compiled.
    """
    h = np.sqrt(0.5)
    planes = [([h, -h, 0.0, 0.0], [0.0, 0.0, 0.0])]  # z of the plane to y of the world
    if bin_half is not None:
        planes += [([h, 0.0, s * h, 0.0], [-s * bin_half, 0.0, 0.0]) for s in (1.0, -1.0)]  # free side +x, -x
        planes += [([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -bin_half]), ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, bin_half])]
    return planes


def _mujoco() -> ModuleType:
    try:
        import mujoco
    except ImportError as error:
        remedy = 'type: pip install "scenemaker[physics]"'
        raise BackendNotInstalledError(expected("mujoco", got="it is not installed", remedy=remedy)) from error
    return mujoco


__all__ = ["PhysicsOptions", "RigidWorld"]
