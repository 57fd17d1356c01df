"""Training tasks of the encoders: that their data are right, that they learn, that they measure what they say."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pose_inputs import box_points, box_scenes, seeded

from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.transforms import axis_angle
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.encoders.geometry import GeometryVAE
from scenemaker.pose.dit.encoders.images import ImageEncoders
from scenemaker.pose.dit.encoders.points import PointEncoder
from scenemaker.pose.dit.weights import load_encoder, read_facts
from scenemaker.training.data.chance import Chance
from scenemaker.training.options import TrainOptions
from scenemaker.training.stepper import Stepper
from scenemaker.training.tasks.geometry import GeometryTask, any_way_up
from scenemaker.training.tasks.image import ImageTask, image_batch
from scenemaker.training.tasks.points import PointsTask, completed
from scenemaker.training.tasks.reconstruction import draw_queries, reconstruction_errors, reconstruction_loss

TINY = CONFIGS["tiny"]
EXTENTS = torch.tensor([[1.0, 0.4, 0.3], [0.3, 1.0, 0.3], [0.5, 0.5, 1.0], [1.0, 1.0, 0.1]])


def seeded_model(cls, *args):
    torch.manual_seed(0)
    return cls(*args)


def trained(task, steps, lr=3e-3):
    optimizer = torch.optim.Adam([{"params": ps, "lr": lr * f} for ps, f in task.parameters()])
    generator = seeded(0)
    for step in range(steps):
        loss, _ = task.loss(task.batch(step), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Perfect(torch.nn.Module):
    """Answers with the distance to a box's points, plus an error."""

    truncation = 0.2

    def __init__(self, surface, error=0.0):
        super().__init__()
        self.surface, self.error = surface, error

    def forward(self, tokens, queries):
        way = self.surface[:, None] - queries[:, :, None]
        best = way.norm(dim=-1).argmin(-1)
        nearest = way.gather(2, best[..., None, None].expand(-1, -1, 1, 3))[:, :, 0]
        distance = nearest.norm(dim=-1).clamp_max(self.truncation)
        return distance + self.error, torch.nn.functional.normalize(nearest, dim=-1)


# reconstruction


def test_the_truth_has_no_loss_and_an_error_its_size():
    surface = box_points(EXTENTS, 200, seeded(1))[..., :3]
    scale = torch.full((4,), 2.0)
    queries = draw_queries(surface, scale / 2, 64, seeded(2))
    for value in reconstruction_loss(Perfect(surface), torch.zeros(4), surface, scale, queries).values():
        assert value < 1e-5
    off = Perfect(surface, 0.01)
    assert reconstruction_loss(off, torch.zeros(4), surface, scale, queries)["distance"] == pytest.approx(0.05)
    errors = reconstruction_errors(off, torch.zeros(4), surface, scale, queries)
    torch.testing.assert_close(errors["distance_percent"], torch.full((4,), 0.5))  # 0.01 of a longest side of 2
    assert errors["direction_deg"].nanmean() < 0.1
    best = reconstruction_errors(Perfect(surface), torch.zeros(4), surface, scale, queries)["near_iou"]
    assert torch.equal(best, torch.ones(4))
    far = reconstruction_errors(Perfect(surface, 1.0), torch.zeros(4), surface, scale, queries)["near_iou"]
    assert torch.equal(far, torch.zeros(4))


def test_queries_are_near_the_surface_and_in_its_box():
    surface = box_points(EXTENTS, 500, seeded(1))[..., :3] * 3 + 5
    scale = torch.full((4,), 3.0)
    queries = draw_queries(surface, scale, 400, seeded(2))
    assert torch.equal(queries, draw_queries(surface, scale, 400, seeded(2)))
    away = torch.cdist(queries, surface).amin(-1)
    assert (away[:, :200].median(1).values < 0.2).all()
    low, high = surface.amin(1, keepdim=True), surface.amax(1, keepdim=True)
    inside = (queries[:, 200:] >= low - 0.3) & (queries[:, 200:] <= high + 0.3)
    assert inside.all()
    spread = queries[:, 200:].amax(1) - queries[:, 200:].amin(1)
    torch.testing.assert_close(spread, 3 * EXTENTS + 0.6, rtol=0.05, atol=0.05)


# geometry


def test_turned_boxes_are_boxes_in_obj_with_right_normals():
    boxes = box_points(EXTENTS, 4000, seeded(1))
    out = any_way_up(boxes, Chance("cpu", 1), share=1.0)
    xyz, normals = out[..., :3], out[..., 3:]
    side = xyz.amax(1) - xyz.amin(1)
    torch.testing.assert_close(side.amax(-1), torch.ones(4))
    torch.testing.assert_close(xyz.amax(1), -xyz.amin(1), rtol=0, atol=1e-5)
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(4, 4000))
    # all points of one face lie in one plane across its normal
    for shape, face in zip(out, boxes[..., 3:], strict=True):
        mine = (face - torch.tensor([1.0, 0, 0])).norm(dim=-1) < 0.1
        height = (shape[mine, :3] * shape[mine, 3:]).sum(-1)
        assert height.std() < 1e-4
        assert height.mean() > 0  # outwards


def test_normals_stay_across_a_stretched_slope():
    across = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, -0.5]), dim=0)
    xyz = torch.rand(1, 500, 3, generator=seeded(1)) - 0.5
    xyz = xyz - (xyz @ across)[..., None] * across
    slope = torch.cat([xyz, across.expand_as(xyz)], -1)
    for share in (0.0, 1.0):
        out = any_way_up(slope, Chance("cpu", 3), share=share, stretch=0.4)
        assert (out[..., :3] * out[..., 3:]).sum(-1).std() < 1e-5
    assert (any_way_up(slope, Chance("cpu", 3), share=0.0, stretch=0.4)[0, 0, 3:] - across).abs().max() > 0.05


def test_batches_are_a_function_of_the_step():
    bank = box_points(EXTENTS, 300, seeded(1))
    one, other = (GeometryTask(GeometryVAE(TINY.geometry), bank, bank, batch_size=3, seed=7) for _ in range(2))
    assert torch.equal(one.batch(5).points, other.batch(5).points)
    assert not torch.equal(one.batch(5).points, one.batch(6).points)


def test_geometry_learns_to_reconstruct(tmp_path):
    bank, held_out = box_points(EXTENTS, 400, seeded(1)), box_points(EXTENTS.flip(1), 400, seeded(2))
    task = GeometryTask(seeded_model(GeometryVAE, TINY.geometry), bank, held_out, batch_size=4, queries=96)
    before = task.validate(task.model)
    assert before == task.validate(task.model)
    trained(task, 60)
    after = task.validate(task.model)
    assert set(after) == {
        f"{how}{what}" for how in ("", "turned_") for what in ("distance_percent", "near_iou", "direction_deg")
    }
    assert after["distance_percent"] < 0.75 * before["distance_percent"]
    assert after["direction_deg"] < before["direction_deg"] - 15
    path = task.write(task.model, tmp_path, {"steps": 60})
    assert path == tmp_path / "geometry.safetensors"
    assert read_facts(path)["facts"] == {"steps": 60}
    assert task.validate(load_encoder(path)) == after


def test_the_latents_are_what_the_loss_sees():
    bank = box_points(EXTENTS, 300, seeded(1))
    task = GeometryTask(seeded_model(GeometryVAE, TINY.geometry), bank, bank, batch_size=4)
    loss, parts = task.loss(task.batch(0), seeded(1))
    assert set(parts) == {"distance", "direction", "kl"}
    torch.testing.assert_close(loss, parts["distance"] + parts["direction"] + parts["kl"])
    again, _ = task.loss(task.batch(0), seeded(1))
    assert torch.equal(loss, again)
    loss.backward()
    assert all(p.grad is not None for p in task.model.parameters())


def test_a_bank_of_nothing_is_refused():
    with pytest.raises(InputError) as caught:
        GeometryTask(GeometryVAE(TINY.geometry), torch.zeros(0, 10, 6), torch.zeros(1, 10, 6))
    assert str(caught.value) == "expected bank of shapes (M, Q, 6); got (0, 10, 6); sample some meshes"
    bank = torch.zeros(1, 10, 6)
    task = GeometryTask(GeometryVAE(TINY.geometry, decoder=False), bank, bank)
    with pytest.raises(InputError, match="expected an encoder with its decoder; got one without; build it with"):
        task.loss(task.batch(0), seeded(0))


# points


def apart(points, surface):
    return (points[:, None] - surface).norm(dim=-1).amin(-1)


def test_complete_surfaces_hold_the_observed_points():
    batch, model = box_scenes(TINY), seeded_model(PointEncoder, TINY.points)
    found = list(completed(model, batch, seeded(1)))
    scenes, _ = model.scene(batch.inputs.scene_cloud, batch.inputs.scene_owner)
    assert [what for what, *_ in found] == ["object", "scene", "scene", "scene"]
    _, tokens, surface, scale = found[0]
    assert torch.equal(tokens, model(batch.inputs.cloud, batch.inputs.cloud_count).tokens)
    for i, n in enumerate(batch.inputs.cloud_count.tolist()):
        away = apart(batch.inputs.cloud[i, :n], surface[i])
        assert away.max() < 1e-4  # those observed are some of them
        box = batch.inputs.geometry[i, :, :3]  # in `obj`, where the longest side of its own shape counts 1
        across = torch.pdist(surface[i]).max()
        torch.testing.assert_close(across, scale[i] * torch.pdist(box).max(), rtol=1e-3, atol=0)
    clouds = batch.inputs.scene_cloud
    for (_, tokens, surface, scale), b in zip(found[1:], (1, 0, 2), strict=True):  # by number of objects
        assert torch.equal(tokens[0], scenes.tokens[b])
        assert apart(clouds[b], surface[0]).max() < 1e-4
        torch.testing.assert_close(scale, (surface.amax(1) - surface.amin(1)).amax(-1))


def test_points_learns_to_complete(tmp_path):
    batches = [box_scenes(TINY, seed=i) for i in range(9)]
    model = seeded_model(PointEncoder, TINY.points)
    task = PointsTask(model, lambda step: batches[step % 8], lambda _: batches[8], queries=64, validate_batches=1)
    before = task.validate(task.model)
    loss, parts = task.loss(task.batch(0), seeded(1))
    assert set(parts) == {"object_distance", "object_direction", "scene_distance", "scene_direction"}
    torch.testing.assert_close(loss, torch.stack(list(parts.values())).sum())
    trained(task, 60)
    after = task.validate(task.model)
    assert after == task.validate(task.model)
    for what in ("object", "scene"):
        assert after[f"{what}_distance_percent"] < 0.85 * before[f"{what}_distance_percent"]
        assert after[f"{what}_direction_deg"] < before[f"{what}_direction_deg"] - 10
    path = task.write(task.model, tmp_path, {})
    assert task.validate(load_encoder(path)) == after


# images


def tilted_planes(seed: int) -> SceneSample:
    """Two flat squares in a picture of 60 x 40, whose every pixel is known in closed form."""
    rng = np.random.default_rng(seed)
    H, W = 40, 60
    K = np.array([[70.0, 0, 30], [0, 70.0, 20], [0, 0, 1]])
    v, u = np.mgrid[:H, :W] + 0.5
    rays = np.stack([(u - 30) / 70, (v - 20) / 70, np.ones_like(u)], -1)
    depth, labels = np.full((H, W), np.nan, np.float32), np.zeros((H, W), np.uint16)
    normals, rgb = np.full((H, W, 3), np.nan, np.float32), np.full((H, W, 3), 90, np.uint8)
    R = np.stack([axis_angle(rng.normal(size=3), rng.uniform(0.1, 0.6)) for _ in range(2)])
    t, scale = np.array([[-0.45, 0.0, 2.0], [0.5, 0.1, 2.3]]), np.array([0.8, 0.9])
    for i in range(2):
        n = R[i][:, 2] * -np.sign(R[i][2, 2])  # towards the camera
        z = (n @ t[i]) / (rays @ n)
        p = (rays * z[..., None] - t[i]) @ R[i] / scale[i]
        on = (np.abs(p[..., :2]) < 0.5).all(-1)
        depth[on], labels[on], normals[on] = z[on], i + 1, n
        rgb[on] = (255 * (p[on] + 0.5)).clip(0, 255).astype(np.uint8)
    return SceneSample(
        key=str(seed),
        source="planes",
        camera=Camera(K=K, width=W, height=H),
        rgb=rgb,
        labels=labels,
        depth=depth,
        names=("a", "b"),
        R_cam_obj=R,
        t_cam_obj=t,
        size=scale[:, None] * np.ones(3),
        scale=scale,
        points_obj=np.zeros((2, 0, 6), np.float32),
        normals_cam=normals,
    )


def test_maps_are_cut_as_the_pictures_are():
    sample = tilted_planes(1)
    batch = image_batch([sample, tilted_planes(2)], TINY, seeded(1))
    crops, pictures = batch.crops, batch.pictures
    S = TINY.image.px
    assert crops.image.shape == (4, 6, S, S)
    assert pictures.image.shape == (2, 5, S, S)
    known = crops.canonical.isfinite().all(1)
    assert torch.equal(known, crops.image[:, 3] > 0)
    # colours of this data are its canonical points, so that the two must agree wherever the mask is whole
    whole = known & (crops.image[:, 3] == 1)
    assert whole.sum() > 500
    both = (crops.image[:, :3] / 2 - crops.canonical).movedim(1, -1)[whole]
    assert both.abs().max() < 0.01
    flat = crops.canonical[:, 2][known]
    assert flat.abs().max() < 1e-4  # planes: z of `obj` is 0
    towards = crops.normals.movedim(1, -1)[known]
    torch.testing.assert_close(towards.norm(dim=-1), torch.ones(len(towards)), rtol=0, atol=1e-4)
    n = torch.from_numpy(sample.R_cam_obj[0][:, 2] * -np.sign(sample.R_cam_obj[0][2, 2])).float()
    found = crops.normals[0].movedim(0, -1)[known[0]]
    torch.testing.assert_close(found, n.expand_as(found), rtol=0, atol=1e-4)
    assert torch.equal(pictures.canonical.isfinite().all(1), pictures.image[:, 3] > 0)
    again = image_batch([sample], TINY, seeded(1))
    assert torch.equal(again.crops.image, crops.image[:2])


def test_image_learns_normals_and_canonical_points(tmp_path):
    batches = [image_batch([tilted_planes(i), tilted_planes(i + 50)], TINY, seeded(i)) for i in range(6)]
    task = ImageTask(
        seeded_model(ImageEncoders, TINY.image),
        lambda step: batches[step % 5],
        lambda _: batches[5],
        validate_batches=1,
    )
    before = task.validate(task.model)
    loss, parts = task.loss(task.batch(0), seeded(1))
    assert set(parts) == {"crop_canonical", "crop_normals", "picture_canonical", "picture_normals"}
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in task.model.parameters())
    trained(task, 60)
    after = task.validate(task.model)
    for what in ("crop", "picture"):
        assert after[f"{what}_canonical_percent"] < 0.5 * before[f"{what}_canonical_percent"]
        assert after[f"{what}_normals_deg"] < before[f"{what}_normals_deg"] - 30
    path = task.write(task.model, tmp_path, {})
    assert task.validate(load_encoder(path)) == after


def test_only_objects_that_are_measured_count():
    """Pictures stay as they are; the maps of the other objects are unknown, and so is their error."""
    sample = tilted_planes(1)
    whole = image_batch([sample], TINY, seeded(1))
    second = image_batch([sample], TINY, seeded(1), measured=lambda s: np.arange(len(s.names)) == 1)
    for a, b in ((whole.crops, second.crops), (whole.pictures, second.pictures)):
        assert torch.equal(a.image, b.image)
        known = b.canonical.isfinite()
        assert torch.equal(known, b.normals.isfinite()) and known.any() and known.sum() < a.canonical.isfinite().sum()
        assert torch.equal(a.canonical[known], b.canonical[known])
    assert not second.crops.canonical[0].isfinite().any()
    assert torch.equal(second.crops.canonical[1].isfinite(), whole.crops.canonical[1].isfinite())

    task = ImageTask(seeded_model(ImageEncoders, TINY.image), lambda _: whole, lambda _: second, prefix="other_scenes_")
    found = task.validate(task.model)
    assert next(iter(found)) == "other_scenes_crop_canonical_percent" and all(np.isfinite(list(found.values())))
    with torch.no_grad():
        second.crops.image[0].zero_()  # what is not measured may be anything
    assert task.validate(task.model)["other_scenes_crop_normals_deg"] == pytest.approx(
        found["other_scenes_crop_normals_deg"], rel=1e-5
    )


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch looks at it, and hides what it says of that
@pytest.mark.parametrize("kind", ["geometry", "image"])
def test_compiled_encoders_give_equal_losses(kind, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, true=torch.compile, **k: true(f, **{**k, "backend": "eager"}))
    rows = []
    for on in (False, True):
        if kind == "geometry":
            shapes = box_points(EXTENTS, 300, seeded(1))
            task = GeometryTask(seeded_model(GeometryVAE, TINY.geometry), shapes, shapes, batch_size=2, queries=32)
        else:
            batch = image_batch([tilted_planes(1)], TINY, seeded(1))
            task = ImageTask(seeded_model(ImageEncoders, TINY.image), lambda _, batch=batch: batch, tilted_planes)
        stepper = Stepper(task, TrainOptions(steps=3, warmup=0, compile=on))
        rows.append([stepper.step(i, [task.batch(i)], 0.0).values["loss"] for i in range(3)])
        assert [part._compiled_call_impl is not None for part in task.compiled()] == [on] * len(task.compiled())
    assert rows[1] == pytest.approx(rows[0], rel=1e-5)


def test_samples_without_normals_are_refused():
    with pytest.raises(InputError) as caught:
        image_batch([SimpleNamespace(**{**vars(tilted_planes(1)), "normals_cam": None})], TINY, seeded(1))
    assert str(caught.value) == "expected normals in sample 1; got none; choose a data set that has them"
    with pytest.raises(InputError, match="expected at least one sample; got none; give some"):
        image_batch([], TINY, seeded(1))
