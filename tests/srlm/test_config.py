"""The configuration: the paper's defaults, a line of doc for each field, frozen."""

import pytest

from srlm.config import TrainConfig


def test_the_defaults_are_the_papers():
    found = TrainConfig(model="m")
    assert (found.iterations, found.candidates, found.judge.samples, found.judge.scoring) == (2, 4, 3, "sampled")
    assert (found.dpo.beta, found.dpo.learning_rate, found.dpo.batch_size) == (0.1, 1e-6, 16)
    assert found.dpo.learning_rate * found.dpo.min_lr_rate == pytest.approx(1e-7)
    assert found.sft.learning_rate == 5.5e-6
    assert found.sft.learning_rate * found.sft.min_lr_rate == pytest.approx(1.1e-6)
    assert (found.instructions.seed_shots, found.instructions.generated_shots) == (6, 2)
    assert (found.instructions.sampling.temperature, found.instructions.sampling.top_p) == (0.6, 0.9)
    assert (found.candidate_sampling.temperature, found.candidate_sampling.top_p) == (0.7, 0.9)
    assert found.instructions.rouge_limit == 0.7


def test_every_field_has_its_line_of_doc():
    def check(model, prefix=""):
        for name, field in model.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                check(field.annotation, f"{prefix}{name}.")
            else:
                assert field.description, f"{prefix}{name}"

    check(TrainConfig)


def test_the_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig(model="m").dpo.beta = 1.0
