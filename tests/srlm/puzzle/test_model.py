"""The puzzle model's vocabulary covers puzzles and rubric, one token for each part."""

import pytest

from srlm.config_file import load_config
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.load import load_model, load_tokenizer
from srlm.judges.parse import read_score
from srlm.judges.pointwise import configured_judge, verdict_text
from srlm.model_hub import is_model_name, model_folder
from srlm.puzzle.model import END, LABEL, digest, phrases
from srlm.puzzle.seed_data import demonstrations, ranked
from srlm.types import Completion, Message, Request, Scored


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield model_folder("puzzle:5")


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder)


def test_it_has_a_quarter_million_weights_that_hang_on_the_seed(folder):
    import torch

    model = load_model(folder, torch.float32, "cpu")
    assert sum(weights.numel() for weights in model.parameters()) == 223_680
    assert folder.name == f"puzzle-5-{digest()}"
    assert is_model_name("puzzle") and is_model_name("puzzle:5")
    other = load_model(model_folder("puzzle:6"), torch.float32, "cpu")
    assert not torch.equal(model.lm_head.weight, other.lm_head.weight)
    assert abs(model.lm_head.weight.std().item() - 0.1) < 0.01


def test_all_that_the_world_writes_is_known_and_comes_back(tokenizer):
    judge = configured_judge(load_config("puzzle", []).judge)
    for prompt, demonstration in zip(ranked(0)[:40], demonstrations(0), strict=False):
        answer = prompt.answers[0]
        request = judge.requests(prompt.instruction, answer.text, 0)[0].messages[0].content
        for asked, said in [
            (demonstration.instruction, demonstration.response),
            (request, verdict_text(answer.rationale, answer.score)),
        ]:
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            tokens = tokenizer.encode(text, add_special_tokens=False)
            assert tokenizer.unk_token_id not in tokens
            assert tokenizer.decode(tokens) == text
            assert text.endswith(said + END)


def test_a_phrase_of_the_rubric_is_one_token(tokenizer):
    for phrase in [*phrases(), LABEL]:
        assert len(tokenizer.encode(phrase, add_special_tokens=False)) == 1
    assert tokenizer.encode("<<</relations>", add_special_tokens=False)[:2] == [5, 5]


def test_a_verdict_in_its_vocabulary_is_read(tokenizer):
    tokens = tokenizer.encode("yynyyyyyy\nScore: 4", add_special_tokens=False)
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    assert read_score(Completion(text, "stop", 1, len(tokens))) == Scored(4.0, text)


def test_expected_scoring_finds_its_digits(tokenizer):
    judge = configured_judge(load_config("puzzle", ["judge.scoring=expected"]).judge)
    choice = ChatTokenizer(tokenizer, name="M1", context=2048).choice(judge.requests("<<=", "1233", 0)[0])
    assert tokenizer.decode(choice.firsts) == "012345"


def test_what_it_cannot_write_is_unknown_and_short(tokenizer):
    request = Request((Message("user", "Please solve [assistant]12[end] for me, ü"),))
    tokens = ChatTokenizer(tokenizer, name="M1", context=2048).tokens(request)
    assert tokenizer.unk_token_id in tokens
    assert tokens.count(tokenizer.eos_token_id) == 0  # an answer cannot end a turn
    assert tokens.count(tokenizer.convert_tokens_to_ids("[assistant]")) == 1
