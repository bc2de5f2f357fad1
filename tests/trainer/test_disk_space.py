"""The disk space of a run: float32 models whatever M0 is stored in, and the files that a training writes."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from srlm.config import TrainConfig
from srlm.errors import NoDiskSpace
from srlm.types import Demonstration, RankedAnswer, RankedPrompt
from trainer import disk_space
from trainer.disk_space import RESUMABLE_BYTES, disk_bytes, require_space

GB = 1e9
PARAMETERS = 30 * 40


@pytest.fixture(params=[torch.bfloat16, torch.float32])
def needed(request, tmp_path, monkeypatch):
    """A function: the bytes that a run of these settings and seeds is said to need, by an M0 of either precision."""
    folder = tmp_path / "m0"
    folder.mkdir()
    parts = {"a": torch.zeros(30, 20, dtype=request.param), "b": torch.zeros(20, 30, dtype=request.param)}
    save_file(parts, folder / "model.safetensors")
    save_file(parts, folder / "consolidated.safetensors")  # Mistral's second copy, which nothing reads
    (folder / "config.json").write_text("{}")
    asked = []
    monkeypatch.setattr(disk_space, "model_folder", lambda name: folder)
    monkeypatch.setattr(disk_space, "require_disk", lambda where, bytes_, purpose: asked.append(bytes_))

    def need(ift=100, eft=(), **settings):
        config = TrainConfig(model=str(folder), **settings)
        run = SimpleNamespace(folder=tmp_path, name="r", records=lambda *_: [])
        session = SimpleNamespace(config=config, run=run, missing_models=lambda: config.trained_models)
        demonstrations = [Demonstration(f"d{n}", "a", "b") for n in range(ift)]
        require_space(session, demonstrations, eft)
        return asked.pop() / 1.1 / PARAMETERS

    return need


FEW = {"iterations": 2, "instructions": {"count": 40}}


def test_a_model_is_four_bytes_a_parameter(needed):
    assert needed(**FEW) == pytest.approx(4 * 4)  # SFT, M1, M2, M3; no training has 200 steps


@pytest.mark.parametrize(
    "training",
    [
        {"instructions": {"count": 3216}},  # 201 steps of 16 pairs
        {"ift": 3216},
        {"sft": {"save_steps": 5}},
        {"dpo": {"save_steps": 2}},
    ],
)
def test_a_training_with_checkpoints_holds_two_with_the_optimiser(needed, training):
    assert needed(**{**FEW, **training}) == pytest.approx(4 * 4 + 2 * (4 + 8))


def test_judgements_are_steps_of_m1_too(needed):
    answers = tuple(RankedAnswer(str(rank), rank) for rank in range(4))
    eft = [RankedPrompt(f"r{n}", "a", answers) for n in range(800)]
    assert needed(eft=eft, **FEW) == pytest.approx(4 * 4 + 2 * (4 + 8))
    assert needed(eft=eft, **FEW, seeds={"eft_limit": 100}) == pytest.approx(4 * 4)


def test_checkpoints_of_adapters_take_nothing(needed):
    adapters = {"lora": {"rank": 8}, "save_steps": 2}
    assert needed(**FEW, sft=adapters, dpo=adapters) == pytest.approx(4 * 4)


def test_snapshots_of_early_stopping_are_models(needed):
    stopping = {"judge": "smollm2", "every": 1}
    assert needed(iterations=1, instructions={"count": 40}, dpo={"stopping": stopping}) == pytest.approx(4 * (3 + 3))


def test_eight_billion_parameters_in_bfloat16(tmp_path):
    """The issue's example: SFT, M1, M2, M3, of which 176 GB were said, half of what they take."""
    assert disk_bytes(8_030_261_248, 4) / GB == pytest.approx(353.3, abs=0.1)


def test_too_little_room_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.require_disk.__globals__["shutil"], "disk_usage", lambda _: SimpleNamespace(free=GB))
    with pytest.raises(
        NoDiskSpace, match=r"The run r, 4 checkpoints, needs about 353\.3 GB in .*, and 1\.0 GB are free"
    ):
        disk_space.require_disk(tmp_path, disk_bytes(8_030_261_248, 4), "The run r, 4 checkpoints,")


def test_a_checkpoint_to_resume_from_has_that_size(tiny_model, examples, tmp_path):
    """The files of a training that was ended: weights, optimiser, and less than 40 kB of all else."""
    from srlm.config.finetune import SFTConfig
    from srlm.console import Progress
    from trainer.finetune.job import SFTJob
    from trainer.finetune.resume import ResumeCallback
    from trainer.finetune.sft import train_sft
    from trainer.finetune.stored_weights import stored_weight_count

    sizes = []

    class Ended(BaseException):
        pass

    def measure(self, args, state, control, **rest):
        folder = next(iter((tmp_path / "training").glob("checkpoint-*")))
        sizes.append(sum((folder / name).stat().st_size for name in ("model.safetensors", "optimizer.pt")))
        sizes.append(stored_weight_count(folder))
        raise Ended

    config = SFTConfig(batch_size=4, save_steps=2, dropout=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResumeCallback, "on_save", measure)
        with pytest.raises(Ended):
            train_sft(
                SFTJob(tiny_model, tmp_path / "checkpoint", tuple(examples), config, "cpu", "float32", 3, "M1"),
                Progress(quiet=True),
            )
    size, count = sizes
    assert RESUMABLE_BYTES * count <= size <= RESUMABLE_BYTES * count + 40_000
