"""The training loop: it learns, stops, and goes on as if it had never stopped, in one process and in two."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_task import ToyTask

from scenemaker.errors import CacheError, ConfigError, DeviceError, OutputError, TrainingError
from scenemaker.training.batches import ahead
from scenemaker.training.checkpoints import load_checkpoint, newest
from scenemaker.training.loop import train
from scenemaker.training.options import TrainOptions
from scenemaker.training.schedule import ema_decay, learning_rate
from scenemaker.training.stepper import Stepper

OPTIONS = TrainOptions(steps=12, warmup=3, log_steps=1, validate_steps=4)


def state(folder):
    path = newest(folder / "checkpoints")
    assert path is not None
    return load_checkpoint(path)


def log(folder, *, without=("seconds",)):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in without} for line in lines]


def equal(a, b):
    assert list(a) == list(b)
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_five_steps_and_seven_more_are_twelve(tmp_path):
    straight, first, second = ToyTask(), ToyTask(signal_at_loss=5), ToyTask()
    whole = train(straight, OPTIONS, tmp_path / "straight")
    part = train(first, OPTIONS, tmp_path / "resumed")
    assert (part.stopped, part.steps, part.samples) == ("interrupted", 5, 40)
    rest = train(second, OPTIONS, tmp_path / "resumed")
    assert (rest.stopped, rest.steps, rest.samples) == (whole.stopped, whole.steps, whole.samples) == ("done", 12, 96)
    assert rest.losses == whole.losses and rest.best == whole.best
    assert rest.seconds > part.seconds

    a, b = state(tmp_path / "straight"), state(tmp_path / "resumed")
    equal(a[0], b[0])  # weights, optimizer, average, to the last bit
    assert {name.split(".")[0] for name in a[0]} == {"model", "average", "optimizer"}
    equal(straight.model.state_dict(), second.model.state_dict())
    assert log(tmp_path / "straight") == log(tmp_path / "resumed")
    assert [v["step"] for v in log(tmp_path / "resumed") if "loss" in v] == list(range(1, 13))
    assert [v["step"] for v in log(tmp_path / "resumed") if "validation" in v] == [4, 8, 12]
    assert second.asked[0] == 5  # no batch is made twice
    written = [torch.load(tmp_path / name / "weights" / "toy.pt")["weights"] for name in ("straight", "resumed")]
    equal(*written)


def test_stopping_at_every_step_changes_nothing_either(tmp_path):
    train(ToyTask(), OPTIONS, tmp_path / "straight")
    reports = [train(ToyTask(signal_at_loss=1), OPTIONS, tmp_path / "resumed") for _ in range(12)]
    assert [r.stopped for r in reports] == ["interrupted"] * 11 + ["done"]  # the last signal came as it was done
    equal(state(tmp_path / "straight")[0], state(tmp_path / "resumed")[0])
    assert log(tmp_path / "straight") == log(tmp_path / "resumed")


def test_a_run_that_broke_goes_on_from_its_last_checkpoint(tmp_path):
    train(ToyTask(), OPTIONS, tmp_path / "straight")
    train(ToyTask(signal_at_loss=5), OPTIONS, tmp_path / "broken")

    class Breaks(ToyTask):
        def loss(self, batch, generator):
            if self.losses == 4:
                raise RuntimeError("the lights went out")
            return super().loss(batch, generator)

    with pytest.raises(RuntimeError, match="the lights went out"):
        train(Breaks(), OPTIONS, tmp_path / "broken")
    assert log(tmp_path / "broken")[-1]["step"] == 9  # and the checkpoint is that of step 5
    assert train(ToyTask(), OPTIONS, tmp_path / "broken").samples == 96
    equal(state(tmp_path / "straight")[0], state(tmp_path / "broken")[0])
    assert log(tmp_path / "straight") == log(tmp_path / "broken")


def test_a_step_is_adamw_with_its_schedules_and_the_average(tmp_path):
    """A plain loop, written out."""
    options = OPTIONS.model_copy(update={"accumulate": 2, "clip": 0.5, "weight_decay": 0.3})
    task, twin = ToyTask(), ToyTask()
    noise = {}

    def noted(batch, generator, true=task.loss):
        noise[len(noise)] = generator.initial_seed()
        return true(batch, generator)

    task.loss = noted
    train(task, options, tmp_path)

    net = twin.model["net"]
    decayed, plain = [net[0].weight, net[3].weight], [net[0].bias, net[1].weight, net[1].bias, net[3].bias]
    slow = {id(p) for p in (net[1].weight, net[1].bias, net[3].weight, net[3].bias)}
    average = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.AdamW(
        [{"params": [p], "weight_decay": 0.3 if p in set(decayed) else 0.0} for p in decayed + plain], betas=(0.9, 0.95)
    )
    for step in range(12):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(options, step, step / 12) * (0.3 if id(group["params"][0]) in slow else 1.0)
        optimizer.zero_grad()
        for number in (2 * step, 2 * step + 1):
            generator = torch.Generator().manual_seed(noise[number])
            (twin.loss(twin.batch(number), generator)[0] / 2).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        for name, p in net.named_parameters():
            average[name].lerp_(p.detach(), 1 - ema_decay(options, step, step / 12))
    assert len(set(noise.values())) == 24  # every batch has its own noise
    for name, p in net.named_parameters():
        assert torch.allclose(task.model["net"].get_parameter(name), p, atol=1e-7), name
        assert torch.allclose(state(tmp_path)[0][f"average.net.{name}"], average[name], atol=1e-7), name
    assert torch.equal(task.model["frozen"].weight, ToyTask().model["frozen"].weight)


def test_it_learns_and_writes_the_average_with_its_facts(tmp_path):
    options = TrainOptions(steps=400, lr=0.03, warmup=10, validate_steps=200, log_steps=50, ema=0.98)
    task = ToyTask(width=16, samples=32)
    seen = []
    report = train(task, options, tmp_path, facts={"data": "toy", "sizes": (3, 2)}, progress=seen.append)
    fresh = ToyTask(width=16, samples=32)
    with torch.no_grad():
        assert report.losses["loss"] < 0.1 and fresh.validate(fresh.model.eval())["error"] > 1
    assert report.best is not None and report.best[0] == 400 and report.best[1]["error"] < 0.3
    kept = torch.load(tmp_path / "weights" / "toy.pt")
    assert torch.equal(kept["weights"]["net.0.weight"], state(tmp_path)[0]["average.net.0.weight"])
    assert not torch.equal(kept["weights"]["net.0.weight"], task.model["net"][0].weight)
    facts = kept["facts"]
    assert facts["step"] == 400 and facts["facts"] == {"data": "toy", "sizes": [3, 2]} and facts["task"] == "toy"
    assert facts["options"]["lr"] == 0.03 and facts["samples"] == 400 * 32
    assert [p.name for p in report.files] == ["checkpoints", "weights", "log.jsonl", "validation.md", "tensorboard"]
    assert all(p.exists() for p in report.files)
    assert [p.step for p in seen] == list(range(1, 401))
    assert seen[199].share == 0.5 and seen[-1].seconds_left == 0 and seen[0].samples_per_second > 0
    assert task.model.training and all(m.training for m in task.model.modules())


def test_prefetching_changes_nothing_but_the_thread(tmp_path):
    threads = []

    class Watched(ToyTask):
        def batch(self, step):
            threads.append(threading.current_thread().name)
            return super().batch(step)

    for count in (0, 3):
        train(Watched(), OPTIONS.model_copy(update={"prefetch": count}), tmp_path / str(count))
    equal(state(tmp_path / "0")[0], state(tmp_path / "3")[0])
    assert {name.partition("_")[0] for name in threads} == {"MainThread", "batches"}
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


def test_batches_ahead_come_in_order_and_errors_at_their_turn():
    made, third = [], threading.Event()

    def make(number):
        made.append(number)
        if number == 2:
            third.set()
        if number == 5:
            raise ValueError("batch 5")
        return number * number

    some = ahead(make, iter(range(100)), 2)
    assert next(some) == 0 and third.wait(30)  # made before anyone asks for it
    assert [next(some) for _ in range(2)] == [1, 4]
    assert made[:3] == [0, 1, 2] and len(made) <= 6
    assert [next(some), next(some)] == [9, 16]
    with pytest.raises(ValueError, match="batch 5"):
        next(some)
    assert list(ahead(abs, iter([-1, -2]), 5)) == [1, 2]


def test_a_time_budget_ends_the_schedule_and_a_pause_does_not(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("scenemaker.training.run.time.monotonic", lambda: clock[0])

    class Timed(ToyTask):
        def loss(self, batch, generator):
            clock[0] += 6.0
            return super().loss(batch, generator)

    options = TrainOptions(minutes=2, pause_minutes=1, log_steps=1, validate_minutes=0.5, save_minutes=0.2, lr=1.0)
    paused = train(Timed(), options, tmp_path)
    assert (paused.stopped, paused.steps, paused.seconds) == ("paused", 10, 60.0)
    clock[0] = 1e6
    done = train(Timed(), options, tmp_path)
    assert (done.stopped, done.steps, done.seconds) == ("done", 20, 120.0)
    rates = [v["lr"] for v in log(tmp_path) if "lr" in v]
    assert rates == [pytest.approx(learning_rate(options, s, s / 20)) for s in range(20)]
    assert [v["step"] for v in log(tmp_path) if "validation" in v] == [
        5,
        10,
        15,
        20,
    ]  # one due at the pause is not lost


def test_checkpoints_are_saved_on_the_way_and_limited_in_size(tmp_path, monkeypatch):
    clock, saved = [0.0], []
    monkeypatch.setattr("scenemaker.training.run.time.monotonic", lambda: clock[0])

    class Timed(ToyTask):
        def loss(self, batch, generator):
            clock[0] += 6.0
            return super().loss(batch, generator)

        def write(self, model, folder, facts):
            saved.append(facts["step"])
            return super().write(model, folder, facts)

    options = TrainOptions(steps=12, save_minutes=0.4, keep=2, part_mib=2 / 1024)
    train(Timed(width=300), options, tmp_path)
    assert saved == [4, 8, 12]
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == ["step-00000008", "step-00000012"]
    parts = list((tmp_path / "checkpoints" / "step-00000012").glob("*.safetensors"))
    assert len(parts) > 10 and max(p.stat().st_size for p in parts) <= 2048


def test_a_longer_budget_goes_on_and_says_so(tmp_path, caplog):
    train(ToyTask(), OPTIONS, tmp_path)
    again = train(ToyTask(), OPTIONS, tmp_path)
    assert (again.stopped, again.steps, again.losses) == ("done", 12, {})  # nothing left to do
    assert [v["step"] for v in log(tmp_path) if "validation" in v] == [4, 8, 12]
    assert "budget" not in caplog.text
    longer = train(ToyTask(), OPTIONS.model_copy(update={"steps": 20, "log_steps": 2}), tmp_path)
    assert longer.steps == 20 and longer.samples == 160
    assert "the budget is now 20 steps; it was 12 steps" in caplog.text


@pytest.mark.parametrize(
    ("change", "facts", "text"),
    [
        ({"lr": 0.001}, {"a": 1}, "expected options.lr 0.0006 as in the checkpoint; got 0.001;"),
        ({"seed": 3}, {"a": 1}, "expected options.seed 0 as in the checkpoint; got 3;"),
        ({"accumulate": 2}, {"a": 1}, "expected options.batches per step 1 as in the checkpoint; got 2;"),
        ({"betas": (0.9, 0.99)}, {"a": 1}, "expected options.betas [0.9, 0.95] as in the checkpoint; got [0.9, 0.99];"),
        ({}, {"a": {"b": 2}}, "expected facts.a 1 as in the checkpoint; got nothing;"),
        ({}, {}, "expected facts nothing as in the checkpoint; got {};"),
    ],
)
def test_other_options_are_named(tmp_path, change, facts, text):
    train(ToyTask(), OPTIONS, tmp_path, facts={"a": 1})
    before = state(tmp_path)[0]
    with pytest.raises(ConfigError) as error:
        train(ToyTask(), OPTIONS.model_copy(update=change), tmp_path, facts=facts)
    assert str(error.value) == f"{text} take that, or start anew (--fresh)"
    equal(before, state(tmp_path)[0])


def test_another_model_is_named(tmp_path):
    train(ToyTask(), OPTIONS, tmp_path)
    with pytest.raises(ConfigError) as error:
        train(ToyTask(width=6), OPTIONS, tmp_path)
    got = "(5,) for average.net.0.bias in the checkpoint"
    assert str(error.value) == f"expected (6,) for average.net.0.bias; got {got}; use the config it was made with"
    other = ToyTask()
    other.name = "pose"
    with pytest.raises(ConfigError, match='expected task "toy" as in the checkpoint; got "pose"'):
        train(other, OPTIONS, tmp_path)


def test_a_new_training_moves_the_old_one_aside(tmp_path, caplog):
    """And begins as if nothing had been there."""
    for number in range(3):
        report = train(ToyTask(), OPTIONS.model_copy(update={"steps": 4 + number}), tmp_path, resume=False)
        assert (report.stopped, report.steps) == ("done", 4 + number)
    assert f"the training in {tmp_path} is now in {tmp_path / 'old-2'}" in caplog.text and "old-3" not in caplog.text
    for folder, steps in ((tmp_path / "old-1", 4), (tmp_path / "old-2", 5), (tmp_path, 6)):
        names = {path.name for path in folder.iterdir() if not path.name.startswith((".", "old-"))}
        assert names == {"checkpoints", "weights", "log.jsonl", "validation.md", "tensorboard"}
        assert [v["step"] for v in log(folder) if "loss" in v] == list(range(1, steps + 1))
        assert state(folder)[1]["step"] == steps
    # the old one can be gone on with where it is now
    assert train(ToyTask(), OPTIONS, tmp_path / "old-1").samples == 96


def test_a_damaged_checkpoint_is_told_and_left_alone(tmp_path):
    train(ToyTask(), OPTIONS, tmp_path)
    part = next((tmp_path / "checkpoints").rglob("*.safetensors"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(CacheError, match=f"expected a whole checkpoint with {part}; got 100 bytes instead of"):
        train(ToyTask(), OPTIONS, tmp_path)
    assert part.stat().st_size == 100


def test_two_trainings_in_one_folder_and_folders_that_cannot_be(tmp_path):
    (tmp_path / ".lock").write_text(str(os.getppid()))
    with pytest.raises(OutputError, match="expected a folder that no other run writes to"):
        train(ToyTask(), OPTIONS, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at"):
        train(ToyTask(), OPTIONS, tmp_path / "file")


def test_a_nan_step_is_passed_over(tmp_path, caplog):
    task = ToyTask()
    task.poison = lambda number: number in (3, 4)
    before = {}

    def note(now):
        before[now.step] = {k: v.clone() for k, v in task.model["net"].state_dict().items()}

    report = train(task, OPTIONS, tmp_path, progress=note)
    assert report.stopped == "done" and report.steps == 12
    equal(before[3], before[4])
    equal(before[3], before[5])
    assert not torch.equal(before[5]["0.weight"], before[6]["0.weight"])
    assert all(torch.isfinite(v).all() for v in state(tmp_path)[0].values())
    assert caplog.text.count("the loss or its gradient is not finite; the weights stay as they are") == 2
    assert [v["loss"] for v in log(tmp_path) if v["step"] == 4 and "loss" in v] == [None]


def test_nan_forever_stops_with_the_checkpoint_named(tmp_path):
    train(ToyTask(signal_at_loss=5), OPTIONS.model_copy(update={"steps": 100}), tmp_path)
    task = ToyTask()
    task.poison = lambda number: number >= 8 and number != 12
    with pytest.raises(TrainingError) as error:
        train(task, OPTIONS.model_copy(update={"steps": 100}), tmp_path)
    kept = f"{tmp_path / 'checkpoints' / 'step-00000005'} is kept"
    assert str(error.value) == (
        "expected a finite loss and gradient; got NaN or infinity at 10 steps in a row, the last of them step 23; "
        f"start anew with a lower lr or clip; {kept}"
    )


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (MemoryError("Unable to allocate 3 TiB"), True),
        (RuntimeError("a bug"), False),
    ],
)
def test_too_little_memory_is_told_with_a_remedy(tmp_path, raised, told):
    task = ToyTask()

    def loss(batch, generator):
        raise raised

    task.loss = loss
    with pytest.raises(DeviceError if told else RuntimeError) as error:
        train(task, OPTIONS, tmp_path)
    remedy = "take smaller batches and accumulate more of them, or precision bf16; no checkpoint was written yet"
    first = str(raised).splitlines()[0]
    text = f"expected a step that fits into cpu; got out of memory at step 1 ({first}); {remedy}"
    assert str(error.value) == (text if told else "a bug")


def test_signals_are_as_before_and_a_second_one_ends_at_once(tmp_path, caplog):
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    train(ToyTask(signal_at_loss=2), OPTIONS, tmp_path / "a")
    assert "interrupted at step 2 of 12 steps; the same command goes on" in caplog.text
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers

    def twice(now):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(ToyTask(), OPTIONS, tmp_path / "b", progress=twice)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not (tmp_path / "b" / ".lock").exists()


def test_in_a_thread_of_a_program_signals_are_left_to_it(tmp_path):
    reports = []
    thread = threading.Thread(target=lambda: reports.append(train(ToyTask(), OPTIONS, tmp_path)))
    thread.start()
    thread.join()
    assert reports[0].steps == 12


def test_parameters_have_to_be_the_models(tmp_path):
    task = ToyTask()
    for groups, got in (([], "none"), ([([nn.Parameter(torch.ones(2))], 1.0)], "one that is not in the model")):
        task.parameters = lambda groups=groups: groups
        with pytest.raises(ConfigError) as error:
            train(task, OPTIONS, tmp_path)
        text = f"expected trained parameters of the task's model; got {got}; mend task.parameters()"
        assert str(error.value) == text


def test_a_parameter_without_a_gradient_has_no_state_and_resumes(tmp_path):
    class Partly(ToyTask):
        def parameters(self):
            return [*super().parameters(), (list(self.model["frozen"].parameters()), 1.0)]  # in no loss

    train(Partly(), OPTIONS, tmp_path / "straight")
    train(Partly(signal_at_loss=5), OPTIONS, tmp_path / "resumed")
    train(Partly(), OPTIONS, tmp_path / "resumed")
    equal(state(tmp_path / "straight")[0], state(tmp_path / "resumed")[0])
    assert "optimizer.exp_avg.frozen.weight" not in state(tmp_path / "resumed")[0]


def test_what_the_task_does_not_list_gets_no_gradient(tmp_path):
    class First(ToyTask):
        def parameters(self):
            return super().parameters()[:1]

    task, before = First(), First().model.state_dict()
    train(task, OPTIONS, tmp_path)
    assert task.model["net"][3].weight.grad is None and not task.model["net"][3].weight.requires_grad
    assert torch.equal(task.model["net"][3].weight, before["net.3.weight"])
    assert not torch.equal(task.model["net"][0].weight, before["net.0.weight"])
    assert {k for k in state(tmp_path)[0] if k.startswith("average.")} == {"average.net.0.weight", "average.net.0.bias"}


def test_bf16_is_near_fp32_and_its_weights_stay_fp32(tmp_path):
    kinds, losses = [], []
    for precision in ("fp32", "bf16"):
        task = ToyTask()

        def noted(batch, generator, true=task.loss, net=task.model["net"]):
            kinds.append(net(batch.x).dtype)
            return true(batch, generator)

        task.loss = noted
        train(task, OPTIONS.model_copy(update={"precision": precision}), tmp_path / precision)
        losses.append([v["loss"] for v in log(tmp_path / precision) if "loss" in v])
        assert {v.dtype for k, v in state(tmp_path / precision)[0].items() if k != "model.seen"} == {torch.float32}
    assert set(kinds[:12]) == {torch.float32} and set(kinds[12:]) == {torch.bfloat16}
    assert losses[1] != losses[0] and losses[1] == pytest.approx(losses[0], rel=0.02)


def test_modes_of_the_model_survive_validation(tmp_path):
    task = ToyTask()
    task.model["frozen"].eval()
    train(task, OPTIONS, tmp_path)
    assert task.model.training and task.model["net"].training and not task.model["frozen"].training


def test_compiled_parts_give_the_same_loss(tmp_path, monkeypatch):
    asked = []

    def compiled(function, *, dynamic, true=torch.compile):
        asked.append(function.__self__)
        return true(function, dynamic=dynamic, backend="aot_eager")  # differentiated as ever, only no C++ is made of it

    monkeypatch.setattr(torch, "compile", compiled)
    for name in (False, True):
        task = ToyTask()
        train(task, OPTIONS.model_copy(update={"compile": name}), tmp_path / str(name))
    assert asked == [task.model["net"]]
    a, b = (state(tmp_path / name)[0] for name in ("False", "True"))
    assert list(a) == list(b) and all(torch.allclose(a[k], b[k], atol=1e-6) for k in a)
    task.compiled = list
    with pytest.raises(ConfigError) as error:
        train(task, OPTIONS.model_copy(update={"compile": True}), tmp_path / "none")
    got = "the task 'toy', which has none"
    assert str(error.value) == f"expected parts that are worth compiling; got {got}; leave out train.compile"


def test_batches_are_made_with_the_gpu_of_the_process_in_use(monkeypatch):
    used = []
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    task = ToyTask()
    stepper = Stepper(task, OPTIONS)
    stepper.batch(1)
    assert used == []
    stepper.device = torch.device("cuda:3")
    stepper.batch(2)
    assert used == [torch.device("cuda:3")] and task.asked == [1, 2]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(__file__).parent
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    shared |= {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "PYTHONPATH": os.pathsep.join([str(here.parents[1]), str(here)]),
    }
    command = [sys.executable, "-W", "error", str(here / "toy_process.py"), str(folder)]
    processes = [subprocess.Popen(command, env={**shared, "RANK": r, "LOCAL_RANK": r}) for r in ("0", "1")]
    assert [p.wait(timeout=120) for p in processes] == [0, 0]
    return folder


def test_two_processes_do_what_one_does_with_twice_the_batches(two_processes, tmp_path):
    train(ToyTask(), OPTIONS.model_copy(update={"accumulate": 2}), tmp_path)
    one, two = state(tmp_path), state(two_processes / "straight-0")
    names = [k for k in one[0] if k != "model.seen"]  # a buffer that counts the process's own batches
    assert all(torch.allclose(one[0][k], two[0][k], atol=1e-6) for k in names)
    for a, b in zip(log(tmp_path), log(two_processes / "straight-0"), strict=True):
        assert a == pytest.approx(b, abs=1e-5) if "loss" in a else a["validation"] == pytest.approx(b["validation"])
    assert one[1]["options"] == two[1]["options"] and one[1]["samples"] == two[1]["samples"] == 192


def test_two_processes_stop_together_and_resume_exactly(two_processes):
    equal(state(two_processes / "straight-0")[0], state(two_processes / "resumed")[0])
    assert log(two_processes / "straight-0") == log(two_processes / "resumed")


def test_two_processes_share_one_clock(two_processes):
    assert [(two_processes / f"time-{rank}.txt").read_text() for rank in (0, 1)] == ["12.0", "12.0"]  # the first's


def test_only_the_first_process_writes_and_validates(two_processes):
    assert not (two_processes / "straight-1").exists()
    facts = [(two_processes / f"facts-{rank}.txt").read_text().partition("] ") for rank in (0, 1)]
    assert [f[2] for f in facts] == [f"{count} interrupted 5 done 192" for count in (3, 0)]
    batches = [[int(n) for n in f[0].strip("[").split(",")] for f in facts]
    assert [n for n in batches[0] if n < 24] == list(range(0, 24, 2))
    assert [n for n in batches[1] if n < 24] == list(range(1, 24, 2))


def test_two_processes_go_on_as_one(two_processes, tmp_path):
    """A checkpoint of two processes is that of one that accumulates two."""
    import shutil

    shutil.copytree(two_processes / "straight-0", tmp_path / "moved")
    options = OPTIONS.model_copy(update={"accumulate": 2, "steps": 15})
    assert train(ToyTask(), options, tmp_path / "moved").steps == 15


def test_the_device_has_to_be_there(tmp_path):
    with pytest.raises(DeviceError, match='expected "cpu", "cuda" or "cuda:1"; got \'tpu\'; use --device cpu'):
        Stepper(ToyTask(), OPTIONS.model_copy(update={"device": "tpu"}))


def test_the_log_tells_what_goes_on(tmp_path, caplog):
    caplog.set_level(logging.INFO, "scenemaker.training")
    train(ToyTask(), OPTIONS, tmp_path)
    train(ToyTask(), OPTIONS.model_copy(update={"steps": 13}), tmp_path)
    assert "step 12: error 1.511, constant 1" in caplog.text
    assert f"goes on from {tmp_path / 'checkpoints' / 'step-00000012'}" in caplog.text


def test_weights_that_were_removed_are_written_again(tmp_path):
    first = train(ToyTask(), OPTIONS, tmp_path)
    weights = tmp_path / "weights"
    before = {p.name: p.read_bytes() for p in weights.iterdir()}
    for file in weights.iterdir():
        file.unlink()
    weights.rmdir()
    again = train(ToyTask(), OPTIONS, tmp_path)
    assert again.steps == first.steps
    assert {p.name for p in weights.iterdir()} == set(before)
