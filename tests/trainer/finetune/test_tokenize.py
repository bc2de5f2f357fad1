"""A row is what the engine asked and what the model wrote; without thoughts it is the one that TRL makes."""

import copy
from types import SimpleNamespace

import pytest
from transformers import AutoTokenizer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.errors import ModelError, NothingToTrain
from srlm.types import Message, Request
from trainer.data.sft_examples import Example
from trainer.finetune.tokenize import Rows, fitting, read

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "<|begin|>{% for m in messages %}<|start|>{{ m.role }}<|end|>\n\n{{ m.content | trim }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|end|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} "
    "{{ m.content | trim }}<|im_end|>{% endif %}{% endfor %}"
)
PLAIN = {"chatml": CHATML, "llama3": LLAMA3, "gemma": GEMMA, "mistral": MISTRAL}

# Qwen 3 puts an empty thought before the last answer; R1 opens one in the prompt, and drops those of the past.
QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>"
    "\n\n{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
R1 = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}{% else %}<|assistant|>"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
ANSWERS = ["rice in spring", "  two words \n", "<think>a word</think> of mine", "\nA line.\n\nAnother one.", "", "5"]


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    """The tiny model's tokenizer with another template."""
    made = AutoTokenizer.from_pretrained(tiny_model)

    def dressed(template):
        one = copy.deepcopy(made)
        one.chat_template = template
        one.bos_token = "<|im_start|>"
        return one

    return dressed


def by_trl(trainer, tokenizer, **answers):
    """The tokens of a row as TRL's own preparation makes them: prompt, and each answer."""
    from datasets import Dataset

    row = {
        "prompt": [{"role": "user", "content": "Write a list."}],
        **{name: [{"role": "assistant", "content": text}] for name, text in answers.items()},
    }
    self = SimpleNamespace(chat_template=None, completion_only_loss=True, _tokenizer=tokenizer)
    arguments = SimpleNamespace(
        dataset_num_proc=None, max_length=None, truncation_mode="keep_start", dataset_text_field="text",
        assistant_only_loss=False, shuffle_dataset=False,
    )  # fmt: skip
    rest = (False, None) if trainer is SFTTrainer else ()
    (made,) = trainer._prepare_dataset(self, Dataset.from_list([row]), tokenizer, arguments, *rest, "train")
    return made


@pytest.mark.parametrize("style", PLAIN)
@pytest.mark.parametrize("thoughts", ["drop", "keep"])
def test_without_thoughts_a_row_is_that_of_trl(tokenizer, style, thoughts):
    made = tokenizer(PLAIN[style])
    rows = Rows(made, thoughts)
    for answer in ANSWERS[:2] + ANSWERS[3:]:
        if answer.startswith("\n") and style in {"chatml", "mistral"}:
            continue  # TRL lets a token reach over the prompt's end there
        ours = rows.read("Write a list.", answer)
        theirs = by_trl(SFTTrainer, made, completion=answer)
        assert theirs["input_ids"] == [*ours.prompt, *ours.completion]
        assert theirs["labels"] == [*[-100] * len(ours.prompt), *ours.completion]
        pair = by_trl(DPOTrainer, made, chosen=answer, rejected="5")
        assert (pair["prompt_ids"], pair["chosen_ids"]) == (list(ours.prompt), list(ours.completion))


@pytest.mark.parametrize("template", [*PLAIN.values(), QWEN, R1])
@pytest.mark.parametrize(("thoughts", "asked"), [("drop", "closed"), ("keep", "open")])
@pytest.mark.parametrize("prompt", ["Write a list.", "What is <|im_end|>, and\n</think> and <think>?", "\n a \n"])
def test_the_prompt_is_the_one_that_the_engine_gives(tokenizer, template, thoughts, asked, prompt):
    """And a special token in an answer opens or ends no turn, as in the engine."""
    made = tokenizer(template)
    expected = ChatTokenizer(made, name="tiny", context=4096, thoughts=asked).tokens(Request((Message("user", prompt),)))
    for answer in [*ANSWERS, "It ends <|im_end|> a turn."]:
        row = read(made, Example("", "", prompt, answer), thoughts)
        assert list(row.prompt) == expected
        assert row.completion.count(made.eos_token_id) == 1


@pytest.mark.parametrize(
    ("template", "prompt", "row"),
    [
        (QWEN, "assistant\n<think>\n\n</think>\n\n", "{}<|im_end|>\n"),
        (R1, "<|assistant|><think>\n\n</think>\n\n", "{}<|im_end|>"),
    ],
)
@pytest.mark.parametrize("answer", ["Rice.", "<think>Hm.</think>Rice.", "It is </think>, I say."])
def test_thoughts_that_are_dropped_leave_the_answer_behind_a_closed_thought(tokenizer, template, prompt, row, answer):
    made = tokenizer(template)
    tokens = read(made, Example("", "", "Cook.", answer))
    assert made.decode(tokens.prompt).endswith(prompt)
    assert made.decode(tokens.completion) == row.format(answer)


@pytest.mark.parametrize(
    ("template", "prompt", "written"),
    [
        (QWEN, "<|im_start|>assistant\n", "<think>\nHm, rice.\n</think>\n\nRice."),
        (R1, "<|assistant|><think>\n", "Hm, rice.\n</think>\n\nRice."),
        (R1, "<|assistant|><think>\n", "\n\nHm, rice, and no end of it"),
        (QWEN, "<|im_start|>assistant\n", "First rice. <think>Hm.</think> Then rice."),
        (QWEN, "<|im_start|>assistant\n", "Rice, without a thought."),
        (CHATML, "<|im_start|>assistant\n", "<think>Hm.</think>Rice."),
    ],
)
def test_thoughts_that_are_kept_are_learned_as_they_were_written(tokenizer, template, prompt, written):
    made = tokenizer(template)
    tokens = read(made, Example("", "", "Cook.", "Rice.", written=written), "keep")
    assert made.decode(tokens.prompt).endswith(prompt)
    assert made.decode(tokens.completion).rstrip("\n") == f"{written}<|im_end|>"


@pytest.mark.parametrize(
    ("template", "completion"),
    [(QWEN, "<think>\n\n</think>\n\nRice.<|im_end|>\n"), (R1, "\n</think>\n\nRice.<|im_end|>")],
)
def test_a_seed_without_thoughts_gets_an_empty_one_where_they_are_kept(tokenizer, template, completion):
    made = tokenizer(template)
    assert made.decode(read(made, Example("", "", "Cook.", "Rice."), "keep").completion) == completion


def test_a_template_that_asks_otherwise_than_it_speaks_is_refused(tokenizer):
    odd = CHATML.replace("{% if add_generation_prompt %}<|im_start|>assistant\n", "{% if add_generation_prompt %}BOT: ")
    with pytest.raises(ModelError, match=r"begins an answer with .*BOT: .* where it asks .*assistant.* in a conv"):
        Rows(tokenizer(odd))


def test_the_length_counts_the_rows_own_tokens(tokenizer):
    """An answer that the template would cut to its last words is as long as it was written."""
    rows = Rows(tokenizer(R1))
    example = Example("", "", "Cook.", "A long thought about rice </think> Rice.")
    length = len(rows.read(example.prompt, example.completion))
    quiet = Progress(quiet=True)
    assert [len(tokens) for _, tokens in fitting(rows, [example], length, quiet, "M1")] == [length]
    with pytest.raises(NothingToTrain):
        fitting(rows, [example], length - 1, quiet, "M1")
