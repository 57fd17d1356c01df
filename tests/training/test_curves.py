"""The log, its TensorBoard twin and the validation table, over stops and resumes."""

from __future__ import annotations

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scenemaker.errors import OutputError
from scenemaker.training.curves import Curves


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def points(folder, tag):
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    return [(p.step, pytest.approx(p.value)) for p in board.Scalars(tag)]


def write(folder, start, steps, *, validate=(), offset=0.0):
    curves = Curves(folder, start)
    for step in steps:
        curves.step(step, 1.5 * step, {"loss": step / 10 + offset, "lr": 0.1})
        assert lines(folder)[-1]["step"] == step  # at once: a killed run keeps its log
        if step in validate:
            curves.validation(step, 1.5 * step, {"rotation_deg": 100.0 - step + offset, "adds": step / 100})
    curves.close()
    return curves


def test_one_line_a_step_and_a_table_of_validations(tmp_path):
    curves = write(tmp_path, 0, range(1, 5), validate=(2, 4))
    assert lines(tmp_path)[0] == {"step": 1, "seconds": 1.5, "loss": 0.1, "lr": 0.1}
    assert [v["step"] for v in lines(tmp_path)] == [1, 2, 2, 3, 4, 4]
    assert lines(tmp_path)[2] == {"step": 2, "seconds": 3.0, "validation": {"rotation_deg": 98.0, "adds": 0.02}}
    assert (tmp_path / "validation.md").read_text() == (
        "| step | minutes | rotation_deg | adds |\n| ---: | ---: | ---: | ---: |\n"
        "| 2 | 0.1 | 98 | 0.02 |\n| 4 | 0.1 | 96 | 0.04 |\n"
    )
    assert points(tmp_path, "train/loss") == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert points(tmp_path, "validation/rotation_deg") == [(2, 98.0), (4, 96.0)]
    assert curves.files == [tmp_path / "log.jsonl", tmp_path / "validation.md", tmp_path / "tensorboard"]


def test_a_resumed_log_forgets_what_no_checkpoint_kept(tmp_path):
    write(tmp_path, 0, range(1, 8), validate=(4, 6))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 8, "seco')  # killed while it wrote
    curves = write(tmp_path, 5, range(6, 9), validate=(6,), offset=0.5)
    assert [v["step"] for v in lines(tmp_path)] == [1, 2, 3, 4, 4, 5, 6, 6, 7, 8]
    assert [v["loss"] for v in lines(tmp_path) if v["step"] == 6 and "loss" in v] == [1.1]
    assert points(tmp_path, "train/loss") == [*((s, s / 10) for s in range(1, 6)), (6, 1.1), (7, 1.2), (8, 1.3)]
    assert [row.split(" | ")[2] for row in (tmp_path / "validation.md").read_text().splitlines()[2:]] == ["96", "94.5"]
    assert curves.best == (6, {"rotation_deg": 94.5, "adds": 0.06})


def test_a_log_killed_within_its_last_line_goes_on_whole(tmp_path):
    write(tmp_path, 0, range(1, 4))
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text()[:-9])
    write(tmp_path, 2, range(3, 5))
    assert [v["step"] for v in lines(tmp_path)] == [1, 2, 3, 4]


def test_a_validation_that_is_made_again_after_a_resume_stands_once(tmp_path):
    write(tmp_path, 0, range(1, 5), validate=(4,))
    curves = Curves(tmp_path, 4)
    curves.validation(4, 7.0, {"rotation_deg": 96.0, "adds": 0.04})
    curves.validation(5, 8.0, {"rotation_deg": 95.0, "adds": 0.05})
    curves.close()
    assert [v["step"] for v in lines(tmp_path) if "validation" in v] == [4, 5]


def test_the_best_is_the_lowest_first_measure(tmp_path):
    curves = Curves(tmp_path, 0)
    assert curves.best is None
    for step, error in ((1, 3.0), (2, math.nan), (3, 2.0), (4, 2.5)):
        curves.validation(step, 0.0, {"error": error, "other": -error})
    assert curves.best == (3, {"error": 2.0, "other": -2.0})
    curves.close()
    assert lines(tmp_path)[1]["validation"] == {"error": None, "other": None}
    assert "| 2 | 0.0 | - | - |" in (tmp_path / "validation.md").read_text()


def test_measures_that_come_later_get_a_column(tmp_path):
    curves = Curves(tmp_path, 0)
    curves.validation(1, 0.0, {"a": 1.0})
    curves.validation(2, 0.0, {"a": 2.0, "b": 3.0})
    curves.close()
    assert (tmp_path / "validation.md").read_text().splitlines()[2:] == ["| 1 | 0.0 | 1 | - |", "| 2 | 0.0 | 2 | 3 |"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at"):
        Curves(tmp_path / "file", 0)
