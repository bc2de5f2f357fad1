"""What trackers are told of a training: nothing of where it lies on this machine."""

from trl.trainer.sft_config import SFTConfig

from trainer.finetune.trackers import without_places


def test_arguments_without_folders(tmp_path):
    arguments = SFTConfig(
        output_dir=str(tmp_path / "training"), run_name=str(tmp_path), learning_rate=0.25, report_to=[], use_cpu=True,
        bf16=False,
    )  # fmt: skip
    told = without_places(arguments).to_dict()
    assert not [name for name, value in told.items() if str(tmp_path) in str(value)]
    assert (told["learning_rate"], arguments.output_dir) == (0.25, str(tmp_path / "training"))
