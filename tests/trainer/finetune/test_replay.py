"""The order of replayed examples."""

from trainer.finetune.replay import Replay
from trainer.finetune.tokenize import Tokens


def test_every_example_is_replayed_before_any_is_repeated():
    tokens = [Tokens((number,), (1, 2)) for number in range(7)]
    replay = Replay(tokens, 3, seed=1)
    drawn = [one for step in range(14) for one in replay.draw(step)]
    turns = [drawn[begin : begin + 7] for begin in range(0, 42, 7)]
    assert all(set(turn) == set(tokens) for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1
    assert drawn[:3] != Replay(tokens, 3, seed=2).draw(0)
    assert len(Replay(tokens[:2], 5, seed=1).draw(0)) == 5
