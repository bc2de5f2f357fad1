"""The puzzle task in a configuration: the model and the seed data of the run's own seed."""

from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.task_seed import with_task_seed


def test_the_puzzle_is_that_of_the_runs_seed():
    given = {"model": "puzzle", "seed": 3, "seeds": {"source": "puzzle", "eft_source": "embedded"}}
    assert with_task_seed(given) == {
        "model": "puzzle:3",
        "seed": 3,
        "seeds": {"source": "puzzle:3", "eft_source": "embedded"},
    }
    assert given["model"] == "puzzle"
    assert load_config("puzzle", ["seed=3"]).model == "puzzle:3"
    assert TrainConfig(model="puzzle").model == "puzzle:0"


def test_sentences_are_those_of_the_runs_seed():
    config = load_config("sentences", ["seed=3"])
    assert (config.model, config.seeds.source, config.instructions.source) == ("smollm2", "sentences:3", "sentences")


def test_other_settings_stay():
    for given in ({"model": "smollm2"}, {"model": "puzzle:7", "seed": 1}, {"seeds": "puzzle"}, {}):
        assert with_task_seed(given) == given
