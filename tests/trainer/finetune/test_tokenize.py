"""Tokenized examples match the engine's prompts; for templates without reasoning they match TRL's."""

import copy

import pytest
from transformers import AutoTokenizer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from helpers.trl_tokens import by_trl
from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.errors import ModelError, NothingToTrain
from srlm.types import Message, Request, SFTExample
from trainer.finetune.tokenize import ExampleTokenizer, filter_by_length, tokenize_example

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

# Qwen 3 puts an empty thought before the last answer; R1 opens one in the prompt, and drops past ones.
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


def example_by_trl(trainer, tokenizer, **answers):
    """Return the tokens of an example by TRL's own preparation: prompt, and each answer."""
    from datasets import Dataset

    row = {
        "prompt": [{"role": "user", "content": "Write a list."}],
        **{name: [{"role": "assistant", "content": text}] for name, text in answers.items()},
    }
    (made,) = by_trl(trainer, tokenizer, Dataset.from_list([row]))
    return made


@pytest.mark.parametrize("style", PLAIN)
@pytest.mark.parametrize("thoughts", ["drop", "keep"])
def test_without_reasoning_the_tokens_are_those_of_trl(tokenizer, style, thoughts):
    made = tokenizer(PLAIN[style])
    chat = ExampleTokenizer(made, thoughts)
    for answer in ANSWERS[:2] + ANSWERS[3:]:
        if answer.startswith("\n") and style in {"chatml", "mistral"}:
            continue  # here TRL makes a token that spans the end of the prompt
        ours = chat.tokenize("Write a list.", answer)
        theirs = example_by_trl(SFTTrainer, made, completion=answer)
        assert theirs["input_ids"] == [*ours.prompt, *ours.completion]
        assert theirs["labels"] == [*[-100] * len(ours.prompt), *ours.completion]
        pair = example_by_trl(DPOTrainer, made, chosen=answer, rejected="5")
        assert (pair["prompt_ids"], pair["chosen_ids"]) == (list(ours.prompt), list(ours.completion))


@pytest.mark.parametrize("template", [*PLAIN.values(), QWEN, R1])
@pytest.mark.parametrize(("thoughts", "asked"), [("drop", "closed"), ("keep", "open")])
@pytest.mark.parametrize("prompt", ["Write a list.", "What is <|im_end|>, and\n</think> and <think>?", "\n a \n"])
def test_the_prompt_is_that_of_the_engine(tokenizer, template, thoughts, asked, prompt):
    """As in the engine, a special token in an answer opens or ends no turn."""
    made = tokenizer(template)
    expected = ChatTokenizer(made, name="tiny", context=4096, thoughts=asked).tokens(
        Request((Message("user", prompt),))
    )
    for answer in [*ANSWERS, "It ends <|im_end|> a turn."]:
        row = tokenize_example(made, SFTExample("", "", prompt, answer), thoughts)
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
def test_dropped_reasoning_leaves_the_answer_after_an_empty_thought(tokenizer, template, prompt, row, answer):
    made = tokenizer(template)
    tokens = tokenize_example(made, SFTExample("", "", "Cook.", answer))
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
def test_kept_reasoning_is_trained_on_as_it_was_generated(tokenizer, template, prompt, written):
    made = tokenizer(template)
    tokens = tokenize_example(made, SFTExample("", "", "Cook.", "Rice.", written=written), "keep")
    assert made.decode(tokens.prompt).endswith(prompt)
    assert made.decode(tokens.completion).rstrip("\n") == f"{written}<|im_end|>"


@pytest.mark.parametrize(
    ("template", "completion"),
    [(QWEN, "<think>\n\n</think>\n\nRice.<|im_end|>\n"), (R1, "\n</think>\n\nRice.<|im_end|>")],
)
def test_a_seed_without_reasoning_gets_an_empty_thought_if_reasoning_is_kept(tokenizer, template, completion):
    made = tokenizer(template)
    assert made.decode(tokenize_example(made, SFTExample("", "", "Cook.", "Rice."), "keep").completion) == completion


def test_a_template_whose_prompt_and_conversation_differ_is_refused(tokenizer):
    odd = CHATML.replace("{% if add_generation_prompt %}<|im_start|>assistant\n", "{% if add_generation_prompt %}BOT: ")
    with pytest.raises(
        ModelError, match=r"begins an answer with .*BOT: .* in a prompt, but with .*assistant.* in a conv"
    ):
        ExampleTokenizer(tokenizer(odd))


def test_the_length_is_that_of_the_tokenized_example(tokenizer):
    """An answer that the template would shorten counts with its full length."""
    chat = ExampleTokenizer(tokenizer(R1))
    example = SFTExample("", "", "Cook.", "A long thought about rice </think> Rice.")
    length = len(chat.tokenize(example.prompt, example.completion))
    quiet = Progress(quiet=True)
    assert [len(tokens) for _, tokens in filter_by_length(chat, [example], length, quiet, "M1")] == [length]
    with pytest.raises(NothingToTrain):
        filter_by_length(chat, [example], length - 1, quiet, "M1")
