"""One of several processes: trains straight, then stopped after five steps and resumed. Usage: toy_process.py FOLDER"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from toy_task import ToyTask

from scenemaker.training import run
from scenemaker.training.loop import train
from scenemaker.training.options import TrainOptions

OPTIONS = TrainOptions(steps=12, warmup=3, log_steps=1, validate_steps=4)


def main(folder: Path) -> None:
    rank = os.environ["RANK"]
    straight = ToyTask()
    # a clock that tells the number of steps, and runs five times as fast in the second process
    run.time = SimpleNamespace(monotonic=lambda: straight.losses * (5.0 if rank == "1" else 1.0))
    report = train(straight, OPTIONS, folder / f"straight-{rank}")
    run.time = time
    (folder / f"time-{rank}.txt").write_text(str(report.seconds))
    # the signal comes to the last process alone: all have to stop after the same step
    stopped = train(ToyTask(signal_at_loss=5 if rank == "1" else None), OPTIONS, folder / "resumed")
    resumed = ToyTask()
    done = train(resumed, OPTIONS, folder / "resumed")
    text = f"{straight.asked} {straight.validations} {stopped.stopped} {stopped.steps} {done.stopped} {done.samples}"
    (folder / f"facts-{rank}.txt").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
