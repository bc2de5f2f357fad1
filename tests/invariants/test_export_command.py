"""`srlm export`: what TRL and transformers read of it is what the run trained on, and the model that it trained."""

import json
import re

import pytest
import torch
from datasets import Dataset, load_dataset
from huggingface_hub import DatasetCard, ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.data_utils import is_conversational
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from helpers.trl_tokens import by_trl
from srlm.engines.load import load_tokenizer
from srlm.types import Message
from trainer.finetune.tokenize import ExampleTokenizer

CONTEXT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Hello!"},
]


@pytest.fixture
def export(cli, own_run, tmp_path):
    """A function: export into tmp_path / name, and return the folder."""

    def make(model, name, *words):
        result = cli("export", model, "--to", tmp_path / name, *own_run.at, *words)
        assert result.code == 0, result.err
        assert "Nothing was uploaded. To publish it: hf upload OWNER/NAME" in result.out
        return tmp_path / name

    return make


def messages(context):
    return tuple(Message(one["role"], one["content"]) for one in context)


def loaded(folder, file_format, cache):
    kind = "json" if file_format == "jsonl" else "parquet"
    return load_dataset(kind, data_files=str(folder / f"train.{file_format}"), split="train", cache_dir=str(cache))


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_pairs_are_tokenized_by_trl_as_they_were_trained_on(export, own_run, tmp_path, tiny_model, file_format):
    pairs = own_run.records("M2/pairs")
    pairs[0] |= {"context": CONTEXT}
    path = own_run.folder / "M2" / "pairs.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in pairs), encoding="utf-8")
    folder = export("M2", "pairs", "--format", file_format)
    rows = loaded(folder, file_format, tmp_path / "cache")
    assert isinstance(rows, Dataset)
    assert is_conversational(rows[0])
    assert [(one["id"], one["chosen_id"], one["reason"]) for one in rows] == [
        (one["id"], one["chosen_id"], one["reason"]) for one in pairs
    ]
    assert [one["chosen_reward"] for one in rows] == [one["chosen_reward"] for one in pairs]
    assert rows[0]["prompt"] == [*CONTEXT, {"role": "user", "content": pairs[0]["prompt"]}]
    chat = ExampleTokenizer(load_tokenizer(tiny_model))
    theirs = by_trl(DPOTrainer, AutoTokenizer.from_pretrained(tiny_model), rows)
    assert len(theirs) == len(pairs)
    for row, pair in zip(theirs, pairs, strict=True):
        for side in ("chosen", "rejected"):
            ours = chat.tokenize(pair["prompt"], pair[side], context=messages(pair.get("context", ())))
            assert (row["prompt_ids"], row[f"{side}_ids"]) == (list(ours.prompt), list(ours.completion))


def test_examples_are_tokenized_by_trl_as_they_were_trained_on(export, own_run, tmp_path, tiny_model):
    rows = loaded(export("M1", "sft"), "jsonl", tmp_path / "cache")
    examples = [
        *((one["instruction"], one["response"]) for one in own_run.records("seeds/ift")),
        *((one["prompt"], one["completion"]) for one in own_run.records("M1/judgements")),
    ]
    chat = ExampleTokenizer(load_tokenizer(tiny_model))
    theirs = by_trl(SFTTrainer, AutoTokenizer.from_pretrained(tiny_model), rows)
    for row, (prompt, completion) in zip(theirs, examples, strict=True):
        ours = chat.tokenize(prompt, completion)
        assert row["input_ids"] == [*ours.prompt, *ours.completion]
        assert row["labels"] == [*[-100] * len(ours.prompt), *ours.completion]
    assert {one["source"] for one in rows} == {"IFT", "EFT"}
    assert len(loaded(export("SFT", "baseline", "--format", "parquet"), "parquet", tmp_path / "cache")) == 8


def test_the_folder_is_a_data_set_with_a_card(export, tmp_path):
    folder = export("M3", "data", "--license", "cc-by-4.0")
    assert {path.name for path in folder.iterdir()} == {"README.md", "train.jsonl"}
    card = DatasetCard.load(folder / "README.md")
    assert (card.data.license, card.data.task_categories) == ("cc-by-4.0", ["text-generation"])
    rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert f"The {len(rows)} preference pairs" in card.text
    assert not any(row["prompt"][-1]["content"] in card.content for row in rows)


def test_the_checkpoint_is_the_model_and_has_no_trace_of_this_machine(export, own_run, tiny_model, tmp_path):
    folder = export("M2", "model", "--checkpoint", "--base-model", "someone/base")
    source = own_run.folder / "M2" / "checkpoint"
    assert {path.name for path in folder.iterdir()} == {path.name for path in source.iterdir()}
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        assert (folder / name).read_bytes() == (source / name).read_bytes()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            text = file.read_text(encoding="utf-8")
            assert not any(str(place) in text for place in (tmp_path, own_run.folder, tiny_model, tiny_model.parent))
    assert "local_files_only" not in (folder / "tokenizer_config.json").read_text(encoding="utf-8")
    card = ModelCard.load(folder / "README.md")
    assert card.data.license == "unknown"
    assert (card.data.base_model, card.data.base_model_relation) == ("someone/base", "finetune")
    assert (card.data.library_name, card.data.pipeline_tag) == ("transformers", "text-generation")
    assert {"trl", "dpo"} <= {*card.data.tags}
    assert answers(folder) == answers(source)


def answers(folder):
    """The greedy answers of a checkpoint, by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert model.config.use_cache or folder.name == "checkpoint"
    found = []
    for question in ("Write a list.", "What is rain?"):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**ids, max_new_tokens=24, do_sample=False)
        found.append(tokenizer.decode(output[0]))
    return found


def test_a_card_keeps_its_evaluations_and_no_path_of_an_opponent(export, own_run):
    readme = own_run.folder / "M2" / "checkpoint" / "README.md"
    card = ModelCard.load(readme)
    card.text = card.text.replace("It has not been", "### head-to-head against /home/somebody/models/llama\n\nIt was")
    card.save(readme)
    exported = (export("M2", "model", "--checkpoint") / "README.md").read_text(encoding="utf-8")
    assert "### head-to-head against llama\n" in exported
    assert "/home/" not in exported
    readme.unlink()
    assert "How it was trained" in (export("M2", "again", "--checkpoint") / "README.md").read_text(encoding="utf-8")


def test_a_taken_place_is_refused_and_left_as_it_is(cli, own_run, tmp_path):
    place = tmp_path / "taken"
    place.mkdir()
    (place / "mine.txt").write_text("mine", encoding="utf-8")
    for words in ((), ("--checkpoint",)):
        found = cli("export", "M2", "--to", place, *own_run.at, *words)
        assert (found.code, len(found.errors)) == (2, 1)
        assert f"{place} exists and is not empty" in found.err
        found = cli("export", "M2", "--to", place / "mine.txt", *own_run.at, *words)
        assert found.code == 2
        assert "mine.txt: is not a folder" in found.err
    assert [path.name for path in place.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_killed_export_left_is_no_obstacle(cli, own_run, tmp_path):
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "half.jsonl").touch()
    (tmp_path / "out").mkdir()  # an empty folder is taken
    assert cli("export", "M2", "--to", tmp_path / "out", *own_run.at).code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "train.jsonl"}
    assert not (tmp_path / ".out.unfinished").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("M0",), "M0 is .* itself, which the run did not train"),
        (("M0", "--checkpoint"), "M0 is .* itself, which the run did not train"),
        (("M9",), "the training data of 'M9' does not exist.* There are: M1, M2, M3, SFT"),
        (("M9", "--checkpoint"), "the model 'M9' does not exist"),
        (("M2", "--checkpoint", "--format", "parquet"), "a checkpoint has one format"),
        (("M2", "--base-model", "a/b"), "--base-model is of a model card"),
        (("M2", "--checkpoint", "--base-model", "llama"), "Give the base model as OWNER/NAME"),
        (("M2", "--license", "My licence"), "no licence identifier of the Hub"),
    ],
)
def test_what_cannot_be_exported_is_one_message(cli, finished_run, tmp_path, words, said):
    found = cli("export", *words, "--to", tmp_path / "out", *finished_run.at)
    assert (found.code, len(found.errors)) == (2, 1)
    assert re.search(said, found.err), found.err
    assert [*tmp_path.iterdir()] == []
