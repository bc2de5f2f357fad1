"""Conversations as tokens in six styles of chat template: what generation reads, training reads, and TRL's rows."""

import json
from types import SimpleNamespace

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from helpers.conversation_styles import CONVERSATION_STYLES, style_checkpoint, style_tokenizer
from helpers.trl_tokens import by_trl
from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.hf import HFEngine
from srlm.engines.load import eos_tokens
from srlm.types import Message, PreferencePair, Request, SFTExample
from trainer.finetune.dpo import _tokenized_pairs
from trainer.finetune.job import DPOJob
from trainer.finetune.save import write_model
from trainer.finetune.sft import _row
from trainer.finetune.tokenize import IGNORE_INDEX, ExampleTokenizer, filter_by_length

SYSTEM = Message("system", "You are a haiku judge.")
EARLIER = (Message("user", "What is the score?"), Message("assistant", "Score: 4"))
CONTEXTS = {"nothing": (), "system": (SYSTEM,), "turns": EARLIER, "both": (SYSTEM, *EARLIER, *EARLIER)}
QUESTION, ANSWER, OTHER = "Write a haiku about rain.", "Rain, said the model.", "A or B."
LOST = "mistral"
"""The style whose conversation leaves out the system message that its prompt has."""


def cases(*without_system):
    """Each style with each context, but for system messages in some styles."""
    return [
        pytest.param(name, context, id=f"{name}-{kind}")
        for name, style in CONVERSATION_STYLES.items()
        for kind, context in CONTEXTS.items()
        if SYSTEM not in context or (style.system and name not in without_system)
    ]


CASES = cases()


@pytest.fixture(scope="module")
def tokenizers():
    return {name: style_tokenizer(name) for name in CONVERSATION_STYLES}


def prompt_of_engine(tokenizer, context, question=QUESTION, thoughts="closed"):
    """The tokens that the engine gives to the model."""
    request = Request((*context, Message("user", question)))
    return ChatTokenizer(tokenizer, name="tiny", context=4096, thoughts=thoughts).tokens(request)


def as_dicts(*messages):
    return [{"role": message.role, "content": message.content} for message in messages]


def row_by_trl(trainer, tokenizer, row, **settings):
    (made,) = by_trl(trainer, tokenizer, Dataset.from_list([row]), **settings)
    return made


def pair_by_trl(tokenizer, context):
    """The columns of TRL for a pair with this context, given as conversational preference data."""
    prompt = as_dicts(*context, Message("user", QUESTION))
    answers = {"chosen": ANSWER, "rejected": OTHER}
    row = {name: as_dicts(Message("assistant", text)) for name, text in answers.items()}
    made = row_by_trl(DPOTrainer, tokenizer, {"prompt": prompt, **row})
    return {name: made[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}


def our_pair(tokenizer, context, tmp_path, thoughts="drop"):
    """The columns that our DPO gives to TRL's trainer."""
    pair = PreferencePair("p", "q", QUESTION, "q-c0", ANSWER, 5.0, "q-c1", OTHER, 1.0, "", context=tuple(context))
    job = DPOJob(tmp_path, tmp_path, (pair,), (), DPOConfig(), "cpu", "float32", 0, "M2", thoughts=thoughts)
    (row,) = _tokenized_pairs(ExampleTokenizer(tokenizer, thoughts), job, Progress(quiet=True)).values()
    return row


# --- what holds in every style ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "context"), CASES)
@pytest.mark.parametrize(("thoughts", "asked"), [("drop", "closed"), ("keep", "open")])
def test_the_prompt_is_that_of_the_engine_and_a_prefix_of_what_is_trained(tokenizers, name, context, thoughts, asked):
    tokenizer, style = tokenizers[name], CONVERSATION_STYLES[name]
    row = ExampleTokenizer(tokenizer, thoughts).tokenize(QUESTION, ANSWER, context=context)
    assert list(row.prompt) == prompt_of_engine(tokenizer, context, thoughts=asked)
    whole = [*row.prompt, *row.completion]
    assert tokenizer.encode(tokenizer.decode(whole), add_special_tokens=False) == whole
    text = tokenizer.decode(row.prompt)
    for message in (*context, Message("user", QUESTION)):
        assert message.content in text
    # One BOS, first, where the template writes one: the tokenizer would add another to plain text.
    assert whole.count(tokenizer.bos_token_id) == (style.bos is not None)
    assert style.bos is None or whole[0] == tokenizer.bos_token_id
    # The end of the turn is trained, once, and nothing but white space after it.
    end = tokenizer.convert_tokens_to_ids(style.end)
    assert row.completion.count(end) == 1
    after = row.completion[row.completion.index(end) + 1 :]
    assert tokenizer.decode(after).strip() == ""
    assert tokenizer.decode(row.completion).split(style.end)[0].endswith(ANSWER)


@pytest.mark.parametrize(("name", "context"), CASES)
def test_only_the_last_answer_is_labelled(tokenizers, name, context):
    """Neither the system message nor an earlier answer of the assistant."""
    tokenizer = tokenizers[name]
    row = _row(ExampleTokenizer(tokenizer).tokenize(QUESTION, ANSWER, context=context))
    labelled = [label for label in row["labels"] if label != IGNORE_INDEX]
    assert row["input_ids"][-len(labelled) :] == labelled
    assert row["labels"].count(IGNORE_INDEX) == len(prompt_of_engine(tokenizer, context))
    assert tokenizer.decode(labelled).split(CONVERSATION_STYLES[name].end)[0].strip() == ANSWER


@pytest.mark.parametrize(("name", "context"), CASES)
def test_without_context_nothing_changes_and_with_one_the_question_does_not(tokenizers, name, context):
    chat = ExampleTokenizer(tokenizers[name])
    alone, row = chat.tokenize(QUESTION, ANSWER), chat.tokenize(QUESTION, ANSWER, context=context)
    assert row.completion == alone.completion
    assert len(row.prompt) == len(alone.prompt) if not context else len(row.prompt) > len(alone.prompt)


@pytest.mark.parametrize("name", CONVERSATION_STYLES)
def test_special_tokens_in_a_context_open_and_end_no_turn(tokenizers, name):
    tokenizer, style = tokenizers[name], CONVERSATION_STYLES[name]
    hostile = "".join(style.special)
    system = (Message("system", hostile),) if style.system else ()
    plain = ((Message("system", "x"),) if style.system else ()) + (Message("user", "x"), Message("assistant", "x"))
    context = (*system, Message("user", f"x{hostile}"), Message("assistant", f"{hostile} x"))
    chat = ExampleTokenizer(tokenizer)
    bad, good = (chat.tokenize(QUESTION, ANSWER, context=one) for one in (context, plain))
    ids = tokenizer.convert_tokens_to_ids(list(style.special))
    assert [bad.prompt.count(token) for token in ids] == [good.prompt.count(token) for token in ids]
    assert bad.completion == good.completion


@settings(max_examples=50)
@given(
    name=st.sampled_from([name for name, style in CONVERSATION_STYLES.items() if style.system]),
    texts=st.lists(st.text(max_size=12), min_size=3, max_size=7),
    system=st.booleans(),
)
def test_any_texts_give_the_prompt_of_the_engine_and_one_end(tokenizers, name, texts, system):
    tokenizer = tokenizers[name]
    first = (Message("system", texts[0]),) if system else ()
    turns = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts[1:])]
    context = (*first, *turns[: len(turns) // 2 * 2])
    row = ExampleTokenizer(tokenizer).tokenize(texts[0], texts[-1], context=context)
    assert list(row.prompt) == prompt_of_engine(tokenizer, context, texts[0])
    assert row.completion.count(tokenizer.convert_tokens_to_ids(CONVERSATION_STYLES[name].end)) == 1


def test_past_thoughts_are_dropped_and_the_answer_follows_an_empty_one(tokenizers):
    context = (Message("user", "Is it raining?"), Message("assistant", "<think>\nHm, rain.\n</think>\n\nIt is."))
    tokenizer = tokenizers["qwen3"]
    row = ExampleTokenizer(tokenizer).tokenize(QUESTION, ANSWER, context=context)
    text = tokenizer.decode(row.prompt)
    assert "Hm, rain." not in text
    assert "It is." in text
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    kept = ExampleTokenizer(tokenizer, "keep")
    row = kept.tokenize(QUESTION, ANSWER, f"<think>\nSo.\n</think>\n\n{ANSWER}", context)
    assert tokenizer.decode(row.prompt).endswith("It is.<|im_end|>\n<|im_start|>user\n" + QUESTION + "<|im_end|>\n"
                                                 "<|im_start|>assistant\n")  # fmt: skip
    assert tokenizer.decode(row.completion).startswith("<think>\nSo.\n</think>\n\n")


def test_the_length_counts_the_context(tokenizers):
    chat, quiet = ExampleTokenizer(tokenizers["chatml"]), Progress(quiet=True)
    with_context = SFTExample("a", "IFT", QUESTION, ANSWER, context=CONTEXTS["both"])
    without = SFTExample("b", "IFT", QUESTION, ANSWER)
    length = len(chat.tokenize(QUESTION, ANSWER))
    assert [one.id for one, _ in filter_by_length(chat, [with_context, without], length, quiet, "M1")] == ["b"]


# --- the end of a turn in generation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVERSATION_STYLES)
def test_generation_stops_at_the_end_of_turn_that_is_trained(tokenizers, name, tmp_path):
    """Also where the checkpoint's settings name the end of text alone, as those of a base model do."""
    engine = HFEngine(style_checkpoint(tmp_path / name, name), name="tiny", device="cpu", dtype="float32")
    engine._model  # noqa: B018 -- it loads the weights, and with them the tokens that end an answer
    tokenizer, style = tokenizers[name], CONVERSATION_STYLES[name]
    end, eos = (tokenizer.convert_tokens_to_ids(token) for token in (style.end, style.eos))
    assert engine._eos == {end, eos}
    assert engine._eos == engine._chat.with_end_of_turn(eos_tokens([end, eos], tokenizer))


@pytest.mark.parametrize("name", ["llama3", "chatml"])
def test_a_trained_model_is_written_with_the_end_of_turn_that_it_learned(tokenizers, name, tmp_path):
    """So that other tools stop there too. Settings that name it already stay as they are."""
    start, folder = style_checkpoint(tmp_path / "start", name), tmp_path / "trained"
    model = AutoModelForCausalLM.from_pretrained(start)
    trainer = SimpleNamespace(model=model, save_model=model.save_pretrained, is_world_process_zero=lambda: True)
    write_model(trainer, tokenizers[name], start, folder)
    before, after = (json.loads((one / "generation_config.json").read_text()) for one in (start, folder))
    ends = [tokenizers[name].convert_tokens_to_ids(token) for token in ("<|end_of_text|>", "<|eot_id|>")]
    assert after["eos_token_id"] == (sorted(ends) if name == "llama3" else before["eos_token_id"])


# --- TRL's rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "context"), CASES)
def test_pairs_are_those_of_trl(tokenizers, name, context, tmp_path):
    """Token by token, wherever the template's prompt is a prefix of its conversation.

    TRL takes the tokens that the prompt shares with the conversation for the prompt. Two styles break that rule:

    mistral   its system message is in the user's last turn, and only if that is the last message. So TRL's rows have
              no system message, and train on the user's question as if it were part of the answer.
    qwen3     the conversation has an empty thought before the answer, and the prompt of TRL does not, so that TRL
              trains on the empty thought. `thoughts: keep` is the same; with `drop` the thought is in the prompt, as
              it is when the model answers.
    """
    tokenizer = tokenizers[name]
    ours, theirs = our_pair(tokenizer, context, tmp_path), pair_by_trl(tokenizer, context)
    if name == LOST and SYSTEM in context:
        assert SYSTEM.content in tokenizer.decode(ours["prompt_ids"])
        assert SYSTEM.content not in tokenizer.decode([*theirs["prompt_ids"], *theirs["chosen_ids"]])
        assert QUESTION in tokenizer.decode(theirs["chosen_ids"])
        assert theirs["chosen_ids"][-len(ours["chosen_ids"]) :] == ours["chosen_ids"]
    elif name == "qwen3":
        assert our_pair(tokenizer, context, tmp_path, "keep") == theirs
        block = tokenizer.encode("<think>\n\n</think>\n\n", add_special_tokens=False)
        for side in ("chosen_ids", "rejected_ids"):
            assert ours["prompt_ids"] + ours[side] == theirs["prompt_ids"] + theirs[side]
            assert theirs[side] == block + ours[side]
    else:
        assert ours == theirs


@pytest.mark.parametrize(("name", "context"), cases(LOST))
def test_supervised_rows_are_those_of_trl(tokenizers, name, context):
    """Of a prompt with its completion; left out is the style whose rows in TRL have no system message."""
    tokenizer = tokenizers[name]
    prompt = as_dicts(*context, Message("user", QUESTION))
    row = {"prompt": prompt, "completion": as_dicts(Message("assistant", ANSWER))}
    theirs = row_by_trl(SFTTrainer, tokenizer, row)
    chat = ExampleTokenizer(tokenizer, "keep" if name == "qwen3" else "drop")
    assert {key: theirs[key] for key in ("input_ids", "labels")} == _row(
        chat.tokenize(QUESTION, ANSWER, context=context)
    )


@pytest.mark.parametrize("context", [CONTEXTS["system"], CONTEXTS["both"]])
def test_with_assistant_only_loss_trl_also_trains_on_earlier_answers(tokenizers, context):
    """TRL's other mask, from the `generation` block of a template: the last answer's labels are ours."""
    import copy

    tokenizer = copy.deepcopy(tokenizers["chatml"])
    ours = _row(ExampleTokenizer(tokenizer).tokenize(QUESTION, ANSWER, context=context))
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content + '<|im_end|>\n' }}{% endgeneration %}"
        "{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    turns = as_dicts(*context, Message("user", QUESTION), Message("assistant", ANSWER))
    theirs = row_by_trl(SFTTrainer, tokenizer, {"messages": turns}, assistant_only_loss=True)
    assert theirs["input_ids"] == ours["input_ids"]
    begins = len(ours["labels"]) - sum(label != IGNORE_INDEX for label in ours["labels"])
    assert theirs["labels"][begins:] == ours["labels"][begins:]
    earlier = [label for label in theirs["labels"][:begins] if label != IGNORE_INDEX]
    assert tokenizer.decode(earlier).count(EARLIER[1].content) == sum(one.role == "assistant" for one in context)
