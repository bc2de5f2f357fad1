"""What a user can do wrong is answered with one message that says what to do, exit code 2, and no traceback.

One case of each kind of error runs in a process of its own (`apart`), the others inside of this one.
"""

import platform
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.refusals import WITHOUT, check_refused

FULL = """
import collections, shutil

shutil.disk_usage = lambda path: collections.namedtuple("usage", "total used free")(10**9, 10**9 - 1000, 1000)
"""

IFT = '{"id": "i%d", "instruction": "Name %d colours.", "response": "Red."}\n'
EFT = (
    '{"id": "e%d", "instruction": "Name a number.", "answers": ['
    '{"text": "4", "rank": 0, "score": 4, "rationale": "It is."}, '
    '{"text": "x", "rank": 1, "score": 0, "rationale": "It is none."}]}\n'
)


@pytest.fixture
def train(cli, tiny_config, tmp_path):
    """`srlm train` of the tiny model into a folder of its own."""

    def run(*words, config=tiny_config, command=cli, **how):
        return command("train", config, "--runs", tmp_path / "runs", "--name", "r", *words, **how)

    return run


# --- the configuration ------------------------------------------------------------------------------------------------


def test_unknown_preset(cli, train):
    check_refused(train(config="quickstrat", command=cli.apart), "'quickstrat'", "Did you mean 'quickstart'?")


def test_unknown_configuration_file(train):
    check_refused(train(config="nowhere/run.yaml"), "nowhere/run.yaml", "quickstart")


def test_unknown_key(train):
    check_refused(train("--set", "dpo.betta=1"), "'dpo.betta'", "Did you mean 'dpo.beta'?")


def test_unknown_key_in_a_file(train, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("preset: quickstart\ninstructions: {sampling: {temprature: 1}}\n", encoding="utf-8")
    check_refused(
        train(config=path), "'instructions.sampling.temprature'", "Did you mean 'instructions.sampling.temperature'?"
    )


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ("dpo.beta=-1", ("dpo.beta", "greater than 0", "not -1")),
        ("dpo.beta=much", ("dpo.beta", "number", "'much'")),
        ("dpo.beta=0", ("dpo.beta", "greater than 0", "not 0")),
        ("judge.samples=0", ("judge.samples", "greater than or equal to 1", "not 0")),
        ("candidates=1", ("candidates", "greater than or equal to 2", "not 1")),
        ("pairs.min_gap=-1", ("pairs.min_gap", "greater than or equal to 0")),
        ("pairs.min_gap=6", ("pairs.min_gap is 6", "scale 0-5", "at most 5")),
        ("pairs.length_rho=0.5", ("pairs.length_rho", "0.49", "not 0.5")),
        ("pairs.scored_by=frozen", ("pairs.scored_by", "judge.frozen")),
        ("dpo.stopping.every=0", ("dpo.stopping.every", "greater than or equal to 1", "not 0")),
        ("dpo.stopping.judge=gpt-4", ("For dpo.stopping.judge, the model 'gpt-4' does not exist", "hf:OWNER/NAME")),
        ("dpo.stopping.judge=openai:gpt-4o", ("openai:gpt-4o needs a key",)),
        ("learn_from=negatives", ("learn_from", "'pairs', 'positives' or 'rollouts'")),
        ("learn_from=positives", ("judge.scoring=expected", "never reaches 5", "positives.min_reward")),
        ("positives.weight=0", ("positives.weight", "greater than 0", "not 0")),
        ("pairs.rejected_from=M7", ("pairs.rejected_from", "'base' or 'M1'")),
        ("monitor.min_parse_rate=80", ("monitor.min_parse_rate", "less than or equal to 1")),
        ("monitor.max_lenght_gap=1", ("'monitor.max_lenght_gap'", "Did you mean 'monitor.max_length_gap'?")),
        ("judge.scoring=guessed", ("judge.scoring", "'sampled' or 'expected'")),
        ("iterations=1.5", ("iterations", "integer")),
        ("instructions.min_words=200", ("min_words", "max_words")),
        ("dpo=1", ("dpo", "not 1")),
        ("model.name=x", ("model", "is a value, not a section")),
        ("dpo.beta", ("dpo.beta", "key=value")),
    ],
)
def test_bad_value(train, change, parts):
    check_refused(train("--set", change), *parts)


def test_adapters_and_a_judge_of_checkpoints_are_not_for_one_run(train):
    changes = ("--set", "dpo.stopping.judge=smollm2", "--set", "dpo.lora.rank=4")
    check_refused(train(*changes), "dpo.stopping.judge", "dpo.lora.rank", "leave out one of the two")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (("positives.min_reward=6",), ("positives.min_reward is 6", "scale 0-5")),
        (("positives.min_reward=0",), ("positives.min_reward is 0", "above 0 and up to 5")),
        (("positives.min_reward=3", "pairs.min_gap=1"), ("learn_from is positives", "pairs.min_gap has no effect")),
        (("pairs.rejected_from=base",), ("there are no pairs", "pairs.rejected_from")),
        (("positives.min_reward=3", "dpo.stopping.judge=smollm2"), ("dpo.stopping.judge", "learn_from is positives")),
    ],
)
def test_settings_that_make_no_sense_with_positives(train, changes, parts):
    words = [word for change in ("learn_from=positives", *changes) for word in ("--set", change)]
    check_refused(train(*words), *parts)


def test_file_that_is_not_yaml(train, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("model: x\ndpo: {beta: 0.1\n", encoding="utf-8")
    check_refused(train(config=path), "broken.yaml, line", "not YAML")


def test_file_that_is_a_list(train, tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- model\n", encoding="utf-8")
    check_refused(train(config=path), "list.yaml", "mapping")


def test_configuration_without_a_model(train, tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("iterations: 1\n", encoding="utf-8")
    check_refused(train(config=path), "model")


def test_change_that_is_not_yaml(train):
    check_refused(train("--set", "dpo.beta=[1"), "dpo.beta")


def test_file_that_is_not_text(train, tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"model: \xff\xfe\n")
    check_refused(train(config=path), "binary.yaml")


def test_file_that_is_its_own_preset(train, tmp_path):
    path = tmp_path / "circle.yaml"
    path.write_text(f"preset: {path}\n", encoding="utf-8")
    check_refused(train(config=path), "circle.yaml")


# --- the machine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["torch", "trl"])
def test_library_for_training_is_missing(cli, train, library):
    result = train(command=cli.apart, customize=WITHOUT.format(library=library))
    check_refused(result, f"the library {library}", "pip install", "train")


def test_library_for_evaluation_is_missing(cli, own_run):
    result = cli.apart("eval", "M1", "--suite", "reward", *own_run.at, customize=WITHOUT.format(library="torch"))
    check_refused(result, "the library torch", "pip install", "local")


def test_library_of_a_paid_judge_is_missing(cli, own_run):
    command = ("eval", "M1", "--suite", "alpaca", "--judge", "openai:gpt-4o", *own_run.at)
    result = cli.apart(*command, env={"OPENAI_API_KEY": "sk-test"}, customize=WITHOUT.format(library="openai"))
    check_refused(result, "the library openai", "pip install", "api")


def test_no_room_on_the_disk(cli, train, tmp_path):
    result = train(command=cli.apart, customize=FULL)
    check_refused(result, "4 checkpoints", str(tmp_path / "runs"), "--runs")
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_disk_that_fills_up(cli, finished_run):
    with Path("/dev/full").open("w") as full:
        process = cli.start("show", "M2-p0000", *finished_run.at, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith("Error: The disk is full.")
    assert err.count("\n") == 1


def test_runs_folder_that_is_a_file(cli, tiny_config):
    check_refused(cli("train", tiny_config, "--runs", tiny_config), str(tiny_config))


def test_unknown_device(train):
    check_refused(train("--set", "device=quantum"), "device", "quantum")


# --- the model --------------------------------------------------------------------------------------------------------


@pytest.fixture
def broken_model(tiny_model, tmp_path):
    """A copy of the tiny model, to be broken."""
    return Path(shutil.copytree(tiny_model, tmp_path / "broken"))


def test_unknown_model(cli, train):
    check_refused(
        train("--set", "model=smolm2", command=cli.apart), "'smolm2'", "Did you mean 'smollm2'?", "hf:OWNER/NAME"
    )


def test_checkpoint_without_a_chat_template(train, broken_model):
    (broken_model / "chat_template.jinja").unlink()
    result = train("--set", f"model={broken_model}")
    check_refused(result, str(broken_model), "no chat template", "chat_template.jinja", alone=False)
    assert result.out == ""


@pytest.mark.parametrize("setting", ["instructions.writer", "judge.frozen"])
def test_another_model_that_cannot_answer(train, broken_model, setting):
    (broken_model / "chat_template.jinja").unlink()
    result = train("--set", f"{setting}={broken_model}")
    check_refused(result, str(broken_model), "no chat template", "chat_template.jinja", alone=False)
    assert result.out == ""


@pytest.mark.parametrize(("setting", "name"), [("instructions.writer", "curent"), ("judge.frozen", "M2")])
def test_another_model_that_is_not_there(train, setting, name):
    check_refused(train("--set", f"{setting}={name}"), setting, repr(name), "hf:OWNER/NAME")


def test_frozen_judge_without_a_key(train):
    result = train("--set", "judge.frozen=openai:gpt-4o", "--set", "judge.scoring=sampled")
    check_refused(result, "openai:gpt-4o", "OPENAI_API_KEY")


@pytest.mark.parametrize("setting", ["instructions.writer", "judge.frozen"])
def test_server_that_cannot_go_on_from_a_beginning(train, setting):
    result = train("--set", f"{setting}=openai:gpt-4o", env={"OPENAI_API_KEY": "sk-test"})
    check_refused(result, "openai:gpt-4o", "instruction writing and for scoring = expected")


@pytest.mark.parametrize("change", ["seeds.eft=false", "sft.baseline=false"])
def test_frozen_judge_that_is_not_trained(train, change):
    result = train("--set", "judge.frozen=SFT", "--set", change)
    check_refused(result, "judge.frozen is SFT", "sft.baseline", "seeds.eft")


def test_folder_without_a_configuration(train, broken_model):
    (broken_model / "config.json").unlink()
    check_refused(train("--set", f"model={broken_model}"), str(broken_model), "no config.json")


def test_folder_to_evaluate_without_a_configuration(cli, own_run, tmp_path):
    (tmp_path / "nothing").mkdir()
    result = cli("eval", tmp_path / "nothing", "--suite", "reward", *own_run.at)
    check_refused(result, str(tmp_path / "nothing"), "no config.json")


def test_checkpoint_without_weights(train, broken_model):
    (broken_model / "model.safetensors").unlink()
    check_refused(train("--set", f"model={broken_model}"), str(broken_model), "safetensors", alone=False)


def test_checkpoint_with_damaged_weights(train, broken_model):
    (broken_model / "model.safetensors").write_bytes(b"\xff" * 1000)
    check_refused(train("--set", f"model={broken_model}"), str(broken_model), "safetensors", alone=False)


# --- the seeds --------------------------------------------------------------------------------------------------------


@pytest.fixture
def seeds(tmp_path):
    """A folder of good seeds, to be spoilt."""
    folder = tmp_path / "seeds"
    folder.mkdir()
    (folder / "ift.jsonl").write_text("".join(IFT % (number, number) for number in range(9)), encoding="utf-8")
    (folder / "eft.jsonl").write_text("".join(EFT % number for number in range(9)), encoding="utf-8")
    return folder


def test_unknown_seeds(cli, train):
    check_refused(train("--seeds", "nowhere", command=cli.apart), "'nowhere'", "embedded")


def test_seeds_without_a_file(train, seeds):
    (seeds / "eft.jsonl").unlink()
    check_refused(train("--seeds", seeds), str(seeds / "eft.jsonl"), "no such file")


@pytest.mark.parametrize("name", ["ift", "eft"])
def test_empty_seed_file(train, seeds, name):
    (seeds / f"{name}.jsonl").write_text("\n", encoding="utf-8")
    check_refused(train("--seeds", seeds), str(seeds / f"{name}.jsonl"), "holds no record")


@pytest.mark.parametrize("name", ["ift", "eft"])
@pytest.mark.parametrize(
    ("line", "part"),
    [("{oops\n", "not JSON"), ('{"id": "x"}\n', "it has id"), ("[]\n", "not a list"), ('"text"\n', "not text")],
)
def test_malformed_seed(train, seeds, name, line, part):
    path = seeds / f"{name}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:2], line, *lines[2:]]), encoding="utf-8")
    check_refused(train("--seeds", seeds), f"{path}, line 3: ", part)


def test_ranked_seed_without_an_order(train, seeds):
    path = seeds / "eft.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"rank": 1', '"rank": 0'), encoding="utf-8")
    check_refused(train("--seeds", seeds), f"{path}, line 1: ", "different rank")


def test_ranked_seeds_without_ranks(train, seeds):
    path = seeds / "eft.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"rank": 1, ', ""), encoding="utf-8")
    check_refused(train("--seeds", seeds), f"{path}, line 1: ", "answers.1.rank", "required")


def test_ranked_seeds_that_are_all_held_out(train, seeds, tmp_path):
    # Of a single ranked prompt the split is drawn by its id: one of these is held out.
    from srlm.seed_data import load_seeds

    path = seeds / "eft.jsonl"
    for number in range(20):
        path.write_text(EFT % number, encoding="utf-8")
        if not load_seeds(str(seeds)).eft:
            break
    check_refused(train("--seeds", seeds), str(seeds), "no ranked instruction", "1 are held out", "seeds.eft=false")
    assert not (tmp_path / "runs").exists()


def test_ranks_that_the_judge_never_agrees_with(train, seeds):
    path = seeds / "eft.jsonl"
    text = path.read_text(encoding="utf-8")
    for words in (', "score": 4, "rationale": "It is."', ', "score": 0, "rationale": "It is none."'):
        text = text.replace(words, "")
    path.write_text(text, encoding="utf-8")
    sizes = ("judge.sampling.max_tokens=8", "judge.samples=1", "sft.epochs=1")
    result = train("--seeds", seeds, *[word for one in sizes for word in ("--set", one)])
    check_refused(
        result, "No EFT example", "ranked instructions do the sampled", "M1/verdicts.jsonl", alone=False, code=8
    )


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            ("judge.scoring=sampled", "judge.samples=1", "judge.sampling.max_tokens=4"),
            ("0% of 15 verdicts parsed", "fewer than two readable rewards: 3", "more EFT examples"),
        ),
        (("pairs.min_gap=4.9",), ("100% of 15 verdicts parsed", "the gap is too small: 3", "pairs.min_gap")),
    ],
)
def test_seeds_that_leave_no_pair(train, seeds, changes, parts):
    sizes = ("instructions.count=3", "sft.baseline=false", "sft.epochs=1", "monitor.degenerate_answer_prompts=0")
    result = train("--seeds", seeds, *[word for one in (*sizes, *changes) for word in ("--set", one)])
    check_refused(result, "M2: no preference pair. 3 instructions, 15 candidates", *parts, alone=False, code=8)


def test_seeds_that_are_not_text(train, seeds):
    (seeds / "ift.jsonl").write_bytes(b"\xff{\xe9")
    check_refused(train("--seeds", seeds), str(seeds / "ift.jsonl"), "UTF-8")


# --- the run ----------------------------------------------------------------------------------------------------------


def test_changed_configuration(cli, tiny_config, own_run):
    before = own_run.digests()
    command = ("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")
    check_refused(cli.apart(*command, "--set", "dpo.beta=0.3"), str(own_run.folder), "dpo.beta 0.1 -> 0.3", "--name")
    assert own_run.digests() == before


@pytest.mark.parametrize("change", ["seeds.source=nowhere", "model=nowhere", "judge.rubric=nowhere.md"])
def test_what_was_refused_at_the_start_can_be_put_right(cli, train, change):
    check_refused(train("--set", change), "nowhere")
    again = train(command=cli.apart, customize=WITHOUT.format(library="torch"))
    check_refused(again, "the library torch")


def test_device_that_is_not_there_can_be_put_right(cli, train):
    if platform.system() == "Darwin":
        pytest.skip("Metal may be there")
    result = train("--set", "device=mps")
    check_refused(result, "mps", alone=False)
    again = train(command=cli.apart, customize=WITHOUT.format(library="torch"))
    check_refused(again, "the library torch")


@pytest.mark.parametrize("name", ["a/b", "../r", ".", ".."])
def test_name_that_is_no_folder_name(cli, tiny_config, tmp_path, monkeypatch, name):
    # One that is taken stops here, before it trains.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=1000, used=0, free=1000))
    runs = tmp_path / "place" / "runs"
    check_refused(cli("train", tiny_config, "--runs", runs, "--name", name), repr(name))
    assert list(tmp_path.rglob("run.yaml")) == []


@pytest.mark.parametrize("command", [("show", "M2-p0000"), ("eval", "M1"), ("compare", "M1", "M2")])
def test_no_run_at_all(cli, tmp_path, command):
    check_refused(cli(*command, "--runs", tmp_path), str(tmp_path), "srlm train")
    check_refused(cli(*command, "--runs", tmp_path / "nowhere"), "nowhere", "srlm train")


def test_unknown_run(cli, own_run):
    check_refused(cli("show", "M2-p0000", "--runs", own_run.folder.parent, "--run", "q"), "'q'", "There is: r.")


@pytest.mark.parametrize("identifier", ["M2-p9999", "M9-p0000", "nonsense", "M2", "../../x-p0000", ""])
def test_unknown_id(cli, own_run, identifier):
    first = own_run.records("M2/pairs")[0]["id"]
    check_refused(cli("show", identifier, *own_run.at), repr(identifier), first)


def test_unknown_model_of_the_run(cli, own_run):
    check_refused(cli("eval", "M7", "--suite", "reward", *own_run.at), "'M7'", "M0, SFT, M1, M2, M3")


def test_unknown_model_as_judge(cli, own_run):
    result = cli("eval", "M1", "--suite", "alpaca", "--judge", "M7", *own_run.at)
    check_refused(result, "'M7'", "M0, SFT, M1, M2, M3")
    assert own_run.calls("evals/%") == []


def test_unknown_suite(cli, own_run):
    check_refused(cli("eval", "M1", "--suite", "alpaca,rewad", *own_run.at), "'rewad'", "mt-bench, nlp, reward")


@pytest.mark.parametrize(
    ("suite", "option"),
    [
        ("alpaca", ("--rubric", "levels")),
        ("reward", ("--max-tokens", "8")),
        ("verifiable,nlp", ("--prompts", "x.json")),
    ],
)
def test_an_option_of_another_suite(cli, own_run, suite, option):
    check_refused(cli("eval", "M1", "--suite", suite, *option, *own_run.at), f"{option[0]} is of the suite", suite[:6])


def test_no_suite(cli, own_run):
    check_refused(cli("eval", "M1", "--suite", ",", *own_run.at), "mt-bench, nlp, reward")


@pytest.mark.parametrize(
    ("judge", "key"), [("openai:gpt-4o", "OPENAI_API_KEY"), ("anthropic:claude-opus", "ANTHROPIC_API_KEY")]
)
def test_judge_without_a_key(cli, own_run, judge, key):
    before = own_run.digests()
    result = cli("eval", "M1", "M2", "--suite", "reward,alpaca", "--judge", judge, *own_run.at)
    check_refused(result, judge, key)
    assert own_run.digests() == before


def test_compare_before_eval(cli, own_run):
    check_refused(cli("compare", "M1", "M2", *own_run.at), "'M1'", "srlm eval")


def test_damaged_result(cli, own_run):
    path = own_run.folder / "evals" / "reward" / "M1.json"
    path.parent.mkdir(parents=True)
    for text in ("{", "{}", "[]"):
        path.write_text(text, encoding="utf-8")
        check_refused(cli("compare", "M1", "M2", *own_run.at), str(path))


def test_damaged_record(cli, own_run):
    path = own_run.folder / "M2" / "verdicts.jsonl"
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    check_refused(cli("show", "M2-p0000", *own_run.at), f"{path}, line 50: ", "not JSON")


@pytest.mark.parametrize("text", ["model: [", "model: x\nbogus: 1\n", ""])
def test_damaged_configuration_of_a_run(cli, own_run, tiny_config, text):
    (own_run.folder / "run.yaml").write_text(text, encoding="utf-8")
    check_refused(cli("eval", "M1", "--suite", "reward", *own_run.at), str(own_run.folder / "run.yaml"))


def test_damaged_ledger(cli, own_run):
    (own_run.folder / "ledger.sqlite").write_bytes(b"\xff" * 5000)
    result = cli("eval", "M1", "--suite", "reward", *own_run.at)
    check_refused(result, str(own_run.folder / "ledger.sqlite"))


@pytest.mark.parametrize("name", ["r[draft]", "r[bold"])
def test_name_in_brackets(cli, own_run, tiny_config, name):
    runs = own_run.folder.parent / "more"
    own_run.copy(runs / name)
    result = cli("train", tiny_config, "--runs", runs, "--name", name)
    assert result.code == 0, result.err
    assert name in result.out


# --- the command itself -----------------------------------------------------------------------------------------------


def test_eval_of_nothing(cli):
    check_refused(cli("eval"), "Name at least one model", "srlm eval M1")


def check_usage(result, part):
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: srlm")
    assert len(result.errors) == 1
    assert part in result.errors[0]


def test_unknown_command(cli):
    check_usage(cli.apart("trian"), "No such command 'trian'")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("train", "--bata", "1"), "No such option"),
        (("compare",), "Missing argument"),
        (("eval", "M1", "--limit", "1"), "--limit"),
        (("eval", "M1", "--limit", "few"), "--limit"),
        (("compare", "M1", "--format", "pdf"), "--format"),
    ],
)
def test_usage(cli, words, part):
    check_usage(cli(*words), part)
