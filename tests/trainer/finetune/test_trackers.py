"""Trackers get no path of this machine."""

from trl.trainer.sft_config import SFTConfig

from trainer.finetune.trackers import without_paths


def test_arguments_without_folders(tmp_path):
    arguments = SFTConfig(
        output_dir=str(tmp_path / "training"), run_name=str(tmp_path), learning_rate=0.25, report_to=[], use_cpu=True,
        bf16=False,
    )  # fmt: skip
    reported = without_paths(arguments).to_dict()
    assert not [name for name, value in reported.items() if str(tmp_path) in str(value)]
    assert (reported["learning_rate"], arguments.output_dir) == (0.25, str(tmp_path / "training"))
