"""Out of memory and disk full: one message with the setting to change, and no finished step is lost."""

import pytest
import torch

from srlm.errors import NoDiskSpace, OutOfMemory


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("train", ["sft"], indirect=True)
@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            OutOfMemory,
            "per_device_train_batch_size=1",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "per_device_train_batch_size = 2"),
        (OSError(28, "No space left on device"), NoDiskSpace, "save_steps=0"),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), NoDiskSpace, "Make room"),
    ],
)
def test_the_error_is_one_message_and_the_training_can_be_resumed(
    train, tmp_path, monkeypatch, raised, expected, words
):
    whole, folder = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    train(whole)
    written = []
    save = torch.save

    def failing_save(states, path, **rest):
        written.append(path)
        if len(written) == 6:  # the second checkpoint's optimiser; each has four such files
            raise raised
        save(states, path, **rest)

    monkeypatch.setattr(torch, "save", failing_save)
    with pytest.raises(expected, match=words) as error:
        train(folder)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert train(folder)[0] == 3
    assert weights(folder) == weights(whole)
