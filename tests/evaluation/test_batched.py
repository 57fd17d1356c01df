"""The torch measures against the NumPy ones, brute force, and themselves in other batches, finders and dtypes."""

import importlib.machinery
import logging
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from scenemaker.errors import InputError, ShapeError
from scenemaker.evaluation import batched, images
from scenemaker.evaluation.batched import neighbours
from scenemaker.evaluation.measures import boxes, emd, points, rigid, symmetry
from scenemaker.evaluation.protocols import layout
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import registration, transforms
from scenemaker.geometry.mesh import Mesh, sample_surface

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def clouds(sizes=(40, 17, 28), others=(33, 50, 9), seed=0):
    """Lists of clouds of unequal size, and of other clouds to compare them with."""
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=(n, 3)) for n in many] for many in (sizes, others)]


def padded(items, device="cpu", dtype=torch.float64, filling=np.nan):
    """(b, n, 3) with the filling behind each cloud, and the lengths (b,)."""
    stack = np.full((len(items), max(map(len, items)) + 2, 3), filling)
    for row, item in zip(stack, items, strict=True):
        row[: len(item)] = item
    lengths = torch.tensor([len(item) for item in items], device=device)
    return torch.tensor(stack, dtype=dtype, device=device), lengths


def near_of(a, b, **kwargs):
    (p, n), (g, m) = padded(a, **kwargs), padded(b, **kwargs)
    return batched.nearest(p, g, pred_lengths=n, gt_lengths=m)


def numbers(tensor):
    return tensor.detach().double().cpu().numpy()


def rotations(n, seed=0):
    return Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()


# Neighbours


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("device", DEVICES)
def test_point_measures_equal_the_numpy_ones(device, dtype):
    a, b = clouds()
    near = near_of(a, b, device=device, dtype=dtype)
    assert near.squared_pred_to_gt.dtype == dtype
    assert near.squared_pred_to_gt.device.type == device
    single = [points.nearest_distances(p, g) for p, g in zip(a, b, strict=True)]
    for name, found, own in [
        ("chamfer_squared", batched.chamfer_squared(near), [points.chamfer_squared(s) for s in single]),
        ("chamfer", batched.chamfer(near), [points.chamfer(s) for s in single]),
        ("fscore", batched.fscore(near, 0.7), [points.fscore(s, 0.7) for s in single]),
        ("add_s", batched.add_s(near), [(s.pred_to_gt.mean() + s.gt_to_pred.mean()) / 2 for s in single]),
    ]:
        assert found.dtype == dtype, name
        np.testing.assert_allclose(numbers(found), own, rtol=0, atol=TOLERANCE[dtype], err_msg=name)


@pytest.mark.parametrize("find", [neighbours.by_trees, neighbours.by_pairs])
@pytest.mark.parametrize("pairs", [1, 700, 2**25])
def test_neighbours_equal_brute_force(monkeypatch, find, pairs):
    monkeypatch.setattr(neighbours, "PAIRS", pairs)  # parts of 1 point, of a few, of all
    a, b = clouds()
    (p, n), (g, m) = padded(a, filling=0.0), padded(b, filling=0.0)
    index = find(p, g, n, m)
    assert index.dtype == torch.int64
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        distances = np.linalg.norm(x[:, None] - y[None], axis=2)
        assert index[i, : len(x)].tolist() == distances.argmin(1).tolist()
        assert not index[i, len(x) :].any()


def test_small_distances_far_from_the_origin():
    """A matrix product would lose them: the squares are 1e8, the squared distances 1e-2."""
    rng = np.random.default_rng(0)
    a = torch.tensor(1e4 + rng.normal(size=(1, 60, 3)), dtype=torch.float32)
    b = a + 0.1 * torch.tensor(rng.normal(size=(1, 60, 3)), dtype=torch.float32)
    exact = points.nearest_distances(a[0].numpy(), b[0].numpy())
    own = numpy_of(batched.nearest(a, b))
    np.testing.assert_allclose(own.pred_to_gt, exact.pred_to_gt, rtol=1e-6)
    n = torch.tensor([60])
    assert neighbours.by_pairs(a, b, n, n).tolist() == neighbours.by_trees(a, b, n, n).tolist()


def numpy_of(near):
    return points.Nearest(numbers(near.pred_to_gt)[0], numbers(near.gt_to_pred)[0])


def test_padding_changes_nothing():
    a, b = clouds()
    together = [near_of(a, b, filling=filling) for filling in (np.nan, np.inf, 0.0)]
    for near in together:
        assert not near.pred_to_gt[1, 17:].any()
        assert not near.gt_of_pred[1, 17:].any()
        assert batched.chamfer(near).tolist() == batched.chamfer(together[0]).tolist()
    alone = [batched.nearest(torch.tensor(p)[None], torch.tensor(g)[None]) for p, g in zip(a, b, strict=True)]
    for measure in (batched.chamfer_squared, batched.chamfer, lambda x: batched.fscore(x, 0.7)):
        np.testing.assert_allclose(
            numbers(measure(together[0])), [float(measure(x)) for x in alone], rtol=1e-14, atol=0
        )


def test_gradients_pass_gradcheck_and_ignore_padding():
    a, b = clouds((5, 4), (4, 6))
    (p, n), (g, m) = padded(a, filling=0.0), padded(b, filling=0.0)
    p.requires_grad_(), g.requires_grad_()

    def loss(measure):
        return lambda p, g: measure(batched.nearest(p, g, pred_lengths=n, gt_lengths=m))

    for measure in (batched.chamfer_squared, batched.chamfer, batched.add_s):
        assert torch.autograd.gradcheck(loss(measure), (p, g))
    assert torch.autograd.gradcheck(lambda p, g: batched.emd(p[:, :4], g[:, :4]), (p, g))
    p, n = padded(a)  # NaN in the padding
    p.requires_grad_()
    loss(batched.chamfer_squared)(p, g).sum().backward()
    assert p.grad.isfinite().all()
    assert not p.grad[1, 4:].any()


def test_gradient_of_equal_clouds_is_zero_not_nan():
    p = torch.tensor(clouds()[0][0])[None].requires_grad_()
    near = batched.nearest(p, p.detach().clone())
    (batched.chamfer(near) + batched.emd(p, p.detach())).sum().backward()
    assert p.grad.tolist() == torch.zeros_like(p).tolist()
    assert batched.fscore(near, 1e-9).tolist() == [1.0]


def test_fscore_is_strict_and_may_be_zero():
    p = torch.zeros(1, 4, 3)
    near = batched.nearest(p, p + torch.tensor([0.5, 0, 0]))
    assert batched.fscore(near, 0.5).tolist() == [0.0]
    assert batched.fscore(near, 0.5001).tolist() == [1.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    many = 300 * torch.ones(2, 20480, 3, dtype=dtype)  # the squares, and their sum, overflow float16
    near = batched.nearest(many.float(), gt=many[:, :5] * 0)  # one of each, as under autocast
    assert near.squared_pred_to_gt.dtype == torch.float32
    assert batched.chamfer_squared(near).tolist() == pytest.approx([2 * 3 * 300**2] * 2)
    assert batched.fscore(near, 1000.0).tolist() == [1.0, 1.0]


def test_autocast_is_kept_out():
    rng = np.random.default_rng(11)
    x, y = torch.tensor(rng.normal(size=(2, 2, 30, 3)), dtype=torch.float32)
    R = torch.tensor(rotations(2), dtype=torch.float32)

    def everything():
        freely = batched.similarity(x, y)
        rigidly = batched.kabsch(x, y)
        angle = batched.rotation_error_deg(rigidly.R, R, R)
        return [*freely, freely(x), *rigidly, rigidly(points=x), *batched.icp(x, y), angle]

    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ y.mT).dtype == torch.bfloat16  # it is on
        inside = everything()
    for a, b in zip(inside, everything(), strict=True):
        assert a.dtype == b.dtype
        assert a.tolist() == b.tolist()


# pytorch3d


@pytest.fixture
def fake_pytorch3d(monkeypatch):
    """A module with knn_points of pytorch3d's documented signature and result; gives the list of its calls."""
    calls = []
    knn_type = namedtuple("KNN", "dists idx knn")

    def knn_points(p1, p2, lengths1=None, lengths2=None, norm=2, K=1, version=-1, return_nn=False, return_sorted=True):
        calls.append((p1.shape, p2.shape, K, norm))
        assert p1.dtype in (torch.float32, torch.float64)  # as the kernels
        squared = (p1[:, :, None] - p2[:, None]).square().sum(-1)  # (N, P1, P2)
        squared[torch.arange(p2.shape[1])[None].ge(lengths2[:, None])[:, None].expand_as(squared)] = torch.inf
        found = squared.topk(K, dim=2, largest=False)
        outside = torch.arange(p1.shape[1])[None, :, None] >= lengths1[:, None, None]  # padded with zeros
        return knn_type(found.values.masked_fill(outside, 0), found.indices.masked_fill(outside, 0), None)

    top, ops = ModuleType("pytorch3d"), ModuleType("pytorch3d.ops")
    top.__spec__ = importlib.machinery.ModuleSpec("pytorch3d", None)
    top.ops, ops.knn_points = ops, knn_points
    monkeypatch.setitem(sys.modules, "pytorch3d", top)
    monkeypatch.setitem(sys.modules, "pytorch3d.ops", ops)
    neighbours.knn_points.cache_clear()
    yield calls
    neighbours.knn_points.cache_clear()


def all_of(a, b):
    """Every result that rests on neighbours, and its gradient, as arrays."""
    (p, n), (g, m) = padded(a), padded(b)
    p.requires_grad_()
    near = batched.nearest(p, g, pred_lengths=n, gt_lengths=m)
    moved = batched.icp(p, g, source_lengths=n, target_lengths=m)
    batched.chamfer_squared(near).sum().backward()
    return [numbers(x) for x in (*near, p.grad, *moved)]


def test_pytorch3d_is_used_where_it_is_installed_with_equal_results(fake_pytorch3d, request):
    a, b = clouds()
    with_it = all_of(a, b)
    assert fake_pytorch3d[0] == ((3, 42, 3), (3, 52, 3), 1, 2)
    assert fake_pytorch3d[1] == ((3, 52, 3), (3, 42, 3), 1, 2)
    assert len(fake_pytorch3d) > 2  # icp too
    near_of(a, b, dtype=torch.bfloat16, filling=0.0)  # its kernels do not know it
    seen = len(fake_pytorch3d)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "pytorch3d")
        neighbours.knn_points.cache_clear()
        without = all_of(a, b)
    assert len(fake_pytorch3d) == seen
    for x, y in zip(with_it, without, strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_broken_pytorch3d_is_told_and_not_used(fake_pytorch3d, caplog):
    del sys.modules["pytorch3d.ops"].knn_points
    with caplog.at_level(logging.WARNING):
        near_of(*clouds())
        near_of(*clouds())
    assert [r.message.partition(" (")[0] for r in caplog.records] == ["pytorch3d is installed but does not load"]
    assert not fake_pytorch3d


# Earth mover's distance


@pytest.mark.parametrize("device", DEVICES)
def test_emd_equals_the_numpy_one(device):
    a, b = clouds((20, 12, 31), (20, 12, 31))
    (p, n), (g, _) = padded(a, device=device), padded(b, device=device)
    own = [emd.emd(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(numbers(batched.emd(p, g, lengths=n)), own, rtol=0, atol=1e-12)
    with pytest.raises(ShapeError) as error:
        batched.emd(p, g[:, :-1], lengths=[5, 5, 5])
    assert str(error.value) == "expected two clouds of equally many points; got 33 and 32; sample both alike"


# Motions


@pytest.mark.parametrize("weighted", [False, True])
def test_kabsch_and_similarity_equal_the_numpy_ones(weighted):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 15, 3)), rng.normal(size=(2, 3, 15, 3))  # two leading dimensions
    y[0] = -x[0] + 0.1 * y[0]  # best met by a mirror image, which is not allowed
    w = rng.random((2, 3, 15)) if weighted else None
    given = [torch.tensor(v) if v is not None else None for v in (x, y, w)]
    rigidly, freely = batched.kabsch(*given), batched.similarity(*given)
    np.testing.assert_allclose(numbers(torch.linalg.det(rigidly.R)), 1, atol=1e-12)
    for i in np.ndindex(2, 3):
        T = registration.kabsch(x[i], y[i], None if w is None else w[i])
        np.testing.assert_allclose(rigidly.R[i], T[:3, :3], atol=1e-10)
        np.testing.assert_allclose(rigidly.t[i], T[:3, 3], atol=1e-10)
        s, R, t = registration.split(registration.umeyama(x[i], y[i], None if w is None else w[i]))
        assert float(freely.scale[i]) == pytest.approx(s, abs=1e-10)
        np.testing.assert_allclose(freely.R[i], R, atol=1e-10)
        np.testing.assert_allclose(freely.t[i], t, atol=1e-10)
    moved = rigidly(given[0])
    np.testing.assert_allclose(moved[1, 2], x[1, 2] @ T[:3, :3].T + T[:3, 3], atol=1e-10)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_similarity_is_recovered(dtype):
    rng = np.random.default_rng(2)
    x, R, t, s = rng.normal(size=(4, 30, 3)), rotations(4), rng.normal(size=(4, 1, 3)), rng.uniform(0.5, 2, (4, 1, 1))
    source, target = torch.tensor(x, dtype=dtype), torch.tensor(s * x @ R.transpose(0, 2, 1) + t, dtype=dtype)
    found = batched.similarity(source, target)
    assert found.R.dtype == dtype
    atol = TOLERANCE[dtype]
    np.testing.assert_allclose(numbers(found.R), R, atol=atol)
    np.testing.assert_allclose(numbers(found.scale), s[:, 0, 0], atol=atol)
    np.testing.assert_allclose(numbers(found(source)), numbers(target), atol=3 * atol)


def test_scale_that_is_not_seen_is_one():
    spread, one_point = torch.tensor(clouds((4,))[0][0])[None], torch.ones(1, 4, 3, dtype=torch.float64)
    for source, target in [(one_point, one_point + 1), (spread, one_point), (one_point, spread)]:
        found = batched.similarity(source, target)
        S = registration.umeyama(source[0].numpy(), target[0].numpy())
        assert found.scale.tolist() == [1.0] == [pytest.approx(registration.scale_of(S))]
        np.testing.assert_allclose(found(source).mean(1), target.mean(1), atol=1e-12)


def test_motions_are_differentiable():
    rng = np.random.default_rng(3)
    x, y = (torch.tensor(rng.normal(size=(2, 6, 3))).requires_grad_() for _ in range(2))
    w = torch.tensor(rng.random((2, 6))).requires_grad_()
    assert torch.autograd.gradcheck(lambda *v: tuple(batched.kabsch(*v)), (x, y, w))
    assert torch.autograd.gradcheck(lambda *v: tuple(batched.similarity(*v)), (x, y, w))


@pytest.mark.parametrize("device", DEVICES)
def test_icp_equals_the_numpy_one_and_each_stops_by_itself(device):
    rng = np.random.default_rng(4)
    target = [rng.uniform(-1, 1, (n, 3)) * [1, 0.6, 0.3] for n in (300, 40, 120)]
    angles = np.radians([3, 20, 35])
    source = [
        t[: len(t) - 20] @ Rotation.from_rotvec([0, angle, angle / 2]).as_matrix().T + 0.05 * angle
        for t, angle in zip(target, angles, strict=True)
    ]
    (p, n), (g, m) = padded(source, device=device), padded(target, device=device)
    found = batched.icp(p, g, source_lengths=n, target_lengths=m, tolerance=1e-6)
    single = [rigid.icp(s, t, tolerance=1e-6) for s, t in zip(source, target, strict=True)]
    assert found.iterations.tolist() == [s.iterations for s in single]
    assert len(set(found.iterations.tolist())) == 3
    for i, s in enumerate(single):
        np.testing.assert_allclose(numbers(found.T[i]), s.T, atol=1e-9)
        np.testing.assert_allclose(numbers(found.moved[i, : len(s.moved)]), s.moved, atol=1e-9)
        assert not found.moved[i, len(s.moved) :].any()
    for tolerance in (1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4):  # the very step at which each stops
        steps = batched.icp(p, g, source_lengths=n, target_lengths=m, tolerance=tolerance).iterations.tolist()
        assert steps == [rigid.icp(s, t, tolerance=tolerance).iterations for s, t in zip(source, target, strict=True)]
    few = batched.icp(p, g, source_lengths=n, target_lengths=m, iterations=2, tolerance=0.0)
    assert few.iterations.tolist() == [2, 2, 2]
    none = batched.icp(p, g, source_lengths=n, target_lengths=m, iterations=0)
    assert none.T.tolist() == torch.eye(4).repeat(3, 1, 1).tolist()


def test_icp_in_float32_and_its_gradient():
    rng = np.random.default_rng(5)
    target = torch.tensor(rng.uniform(-1, 1, (2, 200, 3)), dtype=torch.float32)
    source = (target[:, :150] + 0.02).requires_grad_()
    found = batched.icp(source, target)
    assert found.T.dtype == torch.float32
    np.testing.assert_allclose(found.moved.detach(), target[:, :150], atol=1e-5)
    assert not found.T.requires_grad
    found.moved.sum().backward()
    along = found.T[:, :3, :3].sum(1)[:, None].expand(-1, 150, -1)  # d (sum of R x + t) / dx
    np.testing.assert_allclose(source.grad, along, atol=1e-6)


# Boxes and poses


def test_box_iou_equals_the_numpy_one():
    rng = np.random.default_rng(6)
    a, b = (rng.uniform(-1, 0, (3, 4, 1, 3)) * [[[1], [-1.0]]] + 0.2 * rng.normal(size=(3, 4, 1, 3)) for _ in range(2))
    a[0, 0] = b[0, 0]
    a[0, 1, 1] = a[0, 1, 0]  # empty
    a[0, 2], b[0, 2] = 0, 0  # both empty
    found = batched.aligned_box_iou(torch.tensor(a), torch.tensor(b))
    own = np.array(
        [[boxes.aligned_box_iou(x, y) for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)]
    )
    np.testing.assert_allclose(found, own, atol=1e-12)
    assert own[0].tolist()[:3] == [1.0, 0.0, 0.0]
    assert len(np.unique(own)) > 4
    x, y = torch.tensor(a[1:]).requires_grad_(), torch.tensor(b[1:]).requires_grad_()
    assert torch.autograd.gradcheck(batched.aligned_box_iou, (x, y))
    flat = torch.zeros(2, 3, requires_grad=True)
    batched.aligned_box_iou(flat, flat).backward()
    assert flat.grad.isfinite().all()


def test_rotation_errors_equal_the_numpy_ones():
    """One batch of objects: without symmetry, with turns, with all of a cube, of revolution, of revolution to flip."""
    rng = np.random.default_rng(7)
    cube = Rotation.create_group("O").as_matrix()
    turns = Rotation.create_group("C4").as_matrix()
    flip = np.stack([np.eye(3), np.diag([1.0, -1, -1])])
    axis = np.array([0.0, 0.6, 0.8])
    kinds = [
        symmetry.Symmetries(rotations=np.eye(3)[None]),
        symmetry.Symmetries(rotations=turns),
        symmetry.Symmetries(rotations=cube),
        symmetry.Symmetries(rotations=np.eye(3)[None], axis=axis),
        symmetry.Symmetries(rotations=flip, axis=np.array([0.0, 0, 1])),
    ]
    rows = np.stack([np.concatenate([k.rotations, rng.normal(size=(24 - len(k.rotations), 3, 3))]) for k in kinds])
    valid = np.stack([np.arange(24) < len(k.rotations) for k in kinds])
    axes = np.stack([np.zeros(3) if k.axis is None else k.axis for k in kinds])
    R_pred, R_gt = rotations(5, seed=8), rotations(5, seed=9)
    found = batched.rotation_error_deg(
        *map(torch.tensor, (R_pred, R_gt, rows)), valid=torch.tensor(valid), axis=torch.tensor(axes)
    )
    own = [symmetry.rotation_error_deg(*case) for case in zip(R_pred, R_gt, kinds, strict=True)]
    np.testing.assert_allclose(found, own, atol=1e-6)
    assert own[2] < 63  # the farthest that two cubes can be apart
    shared = batched.rotation_error_deg(*map(torch.tensor, (R_pred, R_gt, cube)))  # the same for all
    own = [symmetry.rotation_error_deg(a, b, kinds[2]) for a, b in zip(R_pred, R_gt, strict=True)]
    np.testing.assert_allclose(shared, own, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-7, 30.0, 179.9999, 180.0])
def test_rotation_error_by_hand(angle):
    R_gt = torch.tensor(rotations(1)[0])
    turn = torch.tensor(Rotation.from_rotvec([0, np.radians(angle), 0]).as_matrix())
    R_pred = (R_gt @ turn).requires_grad_()
    found = batched.rotation_error_deg(R_pred, R_gt)
    assert found.shape == ()
    assert found.item() == pytest.approx(angle, abs=1e-10)
    found.backward()
    assert R_pred.grad.isfinite().all()
    half_turn = torch.tensor(np.stack([np.eye(3), np.diag([-1.0, 1, -1])]))  # about y, in the mesh's frame
    same = batched.rotation_error_deg(R_pred, R_gt, half_turn).item()
    assert same == pytest.approx(min(angle, 180 - angle), abs=1e-7)


def test_translation_and_size_by_hand():
    a, b = torch.tensor([[0.0, 3, 4], [1, 1, 1]]), torch.zeros(2, 3)
    assert batched.translation_error(a, b, 10.0).tolist() == pytest.approx([0.5, 3**0.5 / 10])
    assert batched.translation_error(a, b, torch.tensor([5.0, 1.0])).tolist() == pytest.approx([1, 3**0.5])
    sizes = torch.tensor([[2.0, 1, 0.5], [8, 1, 1]])
    assert batched.size_ratio(sizes, torch.ones(3)).tolist() == [2, 8]
    assert batched.size_ratio(torch.ones(3), sizes).tolist() == [2, 8]  # the larger over the smaller
    assert batched.size_ratio(sizes, sizes).tolist() == [1, 1]


def test_add_s_and_size_ratio_are_those_of_the_layout_protocol(monkeypatch):
    monkeypatch.setattr(layout, "DENSER", 1)  # distances to the very points they are taken from
    rng, extents = np.random.default_rng(11), np.array([1.0, 0.7, 0.4])
    shape = Mesh(vertices=np.vstack([[0, 0, 0], np.diag(extents)]), faces=[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    sizes = {"gt": (0.8, 1.0, 1.5), "pred": (1.5, 1.0, 0.8)}
    scenes = {}
    for name, of_objects in sizes.items():
        S = [transforms.similarity(R, rng.normal(size=3), s) for R, s in zip(rotations(3, 1), of_objects, strict=True)]
        objects = tuple(EvalObject(id=i, name=str(i), mesh=shape, S_frame_obj=S[i]) for i in range(3))
        scenes[name] = EvalScene(name=name, path=Path(name), objects=objects)
    still = Alignment(S_world_pred=np.eye(4), kind="none", text="")
    pair = ScenePair(name="s", **scenes, partners=(0, 1, 2), alignment=still)
    rows = layout.Layout(points=200)(pair).objects
    seeds = [int(np.random.SeedSequence([0, i]).generate_state(1)[0]) for i in range(3)]
    p, g = (
        torch.tensor(np.stack([sample_surface(m, 200, seed=k)[0] for m, k in zip(many, seeds, strict=True)]))
        for many in (pair.pred_meshes, pair.gt_meshes)
    )
    own = [row["add_s"] * s for row, s in zip(rows, sizes["gt"], strict=True)]  # over nothing
    np.testing.assert_allclose(batched.add_s(batched.nearest(p, g)), own, rtol=1e-6)
    sides_pred, sides_gt = (torch.tensor(np.outer(sizes[k], extents)) for k in ("pred", "gt"))
    own = [row["size_ratio"] for row in rows]
    np.testing.assert_allclose(batched.size_ratio(sides_pred, sides_gt), own, rtol=1e-6)


def test_psnr_equals_the_numpy_one():
    rng = np.random.default_rng(10)
    a, b = rng.integers(0, 256, (2, 3, 9, 14, 3), dtype=np.uint8)
    b[1] = a[1]
    mask = rng.random((3, 9, 14)) < 0.3
    x, y = (torch.tensor(v).permute(0, 3, 1, 2).double() / 255 for v in (a, b))
    own = [images.psnr(p, q) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(batched.psnr(x, y), own, atol=1e-9)
    assert own[1] == np.inf
    np.testing.assert_allclose(batched.psnr(255 * x, 255 * y, peak=255), own, atol=1e-9)
    own = [images.psnr(p, q, m) for p, q, m in zip(a, b, mask, strict=True)]
    np.testing.assert_allclose(batched.psnr(x, y, torch.tensor(mask)), own, atol=1e-9)
    x.masked_fill_(~torch.tensor(mask)[:, None], torch.nan).requires_grad_()  # outside the mask anything may stand
    found = batched.psnr(x, y, torch.tensor(mask))
    found[[0, 2]].sum().backward()
    assert x.grad.isfinite().all()


# Errors


P = torch.zeros(2, 4, 3)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: batched.nearest(P.numpy(), P.numpy()),
            ShapeError,
            "expected tensors; got ndarray and ndarray; use torch.as_tensor, or evaluation.measures",
        ),
        (
            lambda: batched.nearest(P[0], P[0]),
            ShapeError,
            "expected clouds of points (b, n, 3) of a float dtype; got torch.float32 (4, 3); "
            "stack the clouds and give their lengths",
        ),
        (
            lambda: batched.nearest(P, P.long()),
            ShapeError,
            "expected clouds of points (b, n, 3) of a float dtype; got torch.int64 (2, 4, 3); "
            "stack the clouds and give their lengths",
        ),
        (
            lambda: batched.nearest(P, P[:, :0]),
            ShapeError,
            "expected clouds of points (b, n, 3) of a float dtype; got torch.float32 (2, 0, 3); "
            "stack the clouds and give their lengths",
        ),
        (
            lambda: batched.nearest(P, P[:1].double()),
            ShapeError,
            "expected two alike batches of clouds; got a batch of 2 in torch.float32 on cpu and a batch of 1 in "
            "torch.float64 on cpu; bring both to one batch size, dtype and device",
        ),
        (
            lambda: batched.nearest(P, P, gt_lengths=[3]),
            ShapeError,
            "expected lengths (2,); got shape (1,); give one number of points for each cloud",
        ),
        (
            lambda: batched.nearest(P, P, pred_lengths=[4, 0]),
            InputError,
            "expected lengths from 1 to 4; got [4, 0]; leave empty clouds out",
        ),
        (
            lambda: batched.icp(P, P, source_lengths=[4, 5]),
            InputError,
            "expected lengths from 1 to 4; got [4, 5]; leave empty clouds out",
        ),
        (
            lambda: batched.nearest(P, P / 0),
            InputError,
            "expected clouds of finite points; got NaN or infinity; check the meshes",
        ),
        (
            lambda: batched.kabsch(P, P[:, :3]),
            ShapeError,
            "expected pairs of points (..., n, 3) of a float dtype; got (2, 4, 3) and (2, 3, 3); pair them up",
        ),
        (
            lambda: batched.kabsch(P, P, P[..., 0].mT),
            ShapeError,
            "expected weights (2, 4); got shape (4, 2); give one for each pair",
        ),
        (
            lambda: batched.similarity(P, P, P[..., 0]),
            InputError,
            "expected at least one pair with weight; got none; give more points",
        ),
        (
            lambda: batched.aligned_box_iou(P, P),
            ShapeError,
            "expected boxes (..., 2, 3); got (2, 4, 3) and (2, 4, 3); give both in this shape",
        ),
        (
            lambda: batched.rotation_error_deg(P, P),
            ShapeError,
            "expected rotations (..., 3, 3); got (2, 4, 3) and (2, 4, 3); give both in this shape",
        ),
        (
            lambda: batched.rotation_error_deg(P[:, :3], P[:, :3], P),
            ShapeError,
            "expected symmetries (..., G, 3, 3); got shape (2, 4, 3); stack the rotations",
        ),
        (
            lambda: batched.rotation_error_deg(P[:, :3], P[:, :3], valid=torch.ones(2, 4, dtype=torch.bool)),
            ShapeError,
            "expected valid (..., 1) of bool; got torch.bool (2, 4); say for each symmetry whether it counts",
        ),
        (
            lambda: batched.rotation_error_deg(P[:, :3], P[:, :3], axis=P[0, 0, :2]),
            ShapeError,
            "expected axes (..., 3); got shape (2,); give one vector for each object",
        ),
        (
            lambda: batched.translation_error(P, P[..., :2], 1.0),
            ShapeError,
            "expected translations (..., 3); got (2, 4, 3) and (2, 4, 2); give both in this shape",
        ),
        (
            lambda: batched.size_ratio(P[..., :2], P),
            ShapeError,
            "expected sizes (..., 3); got (2, 4, 2) and (2, 4, 3); give both in this shape",
        ),
        (
            lambda: batched.psnr(P, P.mT),
            ShapeError,
            "expected two pictures (..., c, h, w) of a float dtype and one size; got torch.float32 (2, 4, 3) and "
            "torch.float32 (2, 3, 4); convert and resize them",
        ),
        (
            lambda: batched.psnr(P, P, P[0] > 0),
            InputError,
            "expected a mask with at least one pixel; got an empty mask; leave the object out",
        ),
        (
            lambda: batched.psnr(P, P, P[0]),
            ShapeError,
            "expected a mask (4, 3) of bool; got torch.float32 (4, 3); give one for each picture",
        ),
    ],
)
def test_wrong_input(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert type(error.value) is kind
    assert str(error.value) == text


def test_without_torch_the_import_says_what_to_type():
    code = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find(name, package)
import scenemaker.evaluation.images, scenemaker.evaluation.perceptual
import scenemaker.evaluation.batched
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    text = 'expected the package torch; got it is not installed; type: pip install "scenemaker[models]"'
    assert done.stderr.splitlines()[-1] == f"scenemaker.errors.BackendNotInstalledError: {text}"
