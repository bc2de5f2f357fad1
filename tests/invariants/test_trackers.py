"""What a run reports to TensorBoard and to W&B without a network is what it keeps itself, by the real command line."""

import json
import os
import signal
import struct
import sys
import time

import pytest

KEY = "0123456789abcdef" * 2 + "01234567"
SHORT = ("--set", "iterations=1", "--set", "report_to=[tensorboard,wandb]")
OFFLINE = {"WANDB_MODE": "offline", "WANDB_API_KEY": KEY}
EVALUATION = ("--suite", "reward", "--scoring", "expected", "--limit", "4")
BLOCK = 32768


@pytest.fixture(scope="module")
def reported(cli, tiny_config, tmp_path_factory, run_folder):
    """A run of one iteration that reports to both, and whose models were evaluated as judges."""
    run = run_folder(tmp_path_factory.mktemp("reported") / "r")
    trained = cli.apart("train", tiny_config, "--runs", run.folder.parent, "--name", "r", *SHORT, env=OFFLINE)
    assert trained.code == 0, trained.err
    for models in (["M1", "M2"], ["M2"]):  # the second time nothing is new, and nothing stands there twice
        evaluated = cli.apart("eval", *models, *EVALUATION, *run.at, env=OFFLINE)
        assert evaluated.code == 0, evaluated.err
    return run


def curves(folder):
    """Each scalar of a folder of events, as TensorBoard shows it: steps and values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def rows(folder):
    """The rows of history in W&B's file of an offline run, which is a log in LevelDB's format."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    data, place, whole, found = file.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in {1, 4}:  # whole, or the last part
            record, whole = Record.FromString(whole), b""
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                found.append({one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in items})
    return found


def expected_evaluation(cli, run, model):
    """The figures of `srlm compare`, as they should have been reported."""
    data = json.loads(cli("compare", model, "--format", "json", *run.at).out)
    found = {}
    for metric in data["metrics"]:
        figure = metric["models"][model]
        for part, name in (("value", ""), ("low", "/low"), ("high", "/high")):
            if figure[part] is not None:
                found[f"reward/{metric['key']}{name}"] = figure[part]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SFT", "M1", "M2"])
def test_tensorboard_shows_the_training_log(reported, model):
    shown = curves(reported.folder / model / "tracking")
    for key in ("loss", "learning_rate", "grad_norm"):
        log = [(entry["step"], entry[key]) for entry in reported.records(f"{model}/training") if key in entry]
        assert [step for step, _ in shown[f"train/{key}"]] == [step for step, _ in log]
        assert [value for _, value in shown[f"train/{key}"]] == pytest.approx([value for _, value in log], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SFT", "M1", "M2"])
def test_wandb_keeps_the_training_log_offline(reported, model):
    kept = [row for row in rows(reported.folder / model / "tracking") if "train/loss" in row]
    log = [(entry["step"], entry["loss"]) for entry in reported.records(f"{model}/training") if "loss" in entry]
    assert [(row["train/global_step"], row["train/loss"]) for row in kept] == log


@pytest.mark.slow
def test_the_monitor_is_reported_at_its_iteration(reported):
    (health,) = reported.records("M2/health")
    folder = reported.folder / "tracking" / "monitor"
    shown, (row,) = curves(folder), rows(folder)
    for key in ("mean_length", "mean_reward", "parse_rate", "pairs", "canary_reward"):
        assert shown[f"monitor/{key}"] == [(1, pytest.approx(health[key], rel=1e-6))]
        assert row[f"monitor/{key}"] == health[key]
    assert {key for key in shown if "score_histogram" in key} == {
        f"monitor/score_histogram/{score}" for score in health["score_histogram"]
    }


@pytest.mark.slow
@pytest.mark.parametrize(("model", "step"), [("M1", 1), ("M2", 2)])
def test_evaluations_are_reported_with_their_intervals_and_once(cli, reported, model, step):
    expected = expected_evaluation(cli, reported, model)
    assert {"reward/rm_pairwise_half", "reward/rm_pairwise_half/low"} <= expected.keys()
    folder = reported.folder / "tracking" / "evals" / model
    assert curves(folder) == {key: [(step, pytest.approx(value, rel=1e-6))] for key, value in expected.items()}
    if model == "M1":
        (row,) = rows(folder)
        assert {key: row[key] for key in expected} == expected


@pytest.mark.slow
def test_the_key_of_wandb_stands_nowhere(reported):
    for file in reported.folder.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_trackers_are_told_no_folder_of_this_machine(reported, tiny_model):
    for folder in reported.folder.rglob("tracking"):
        told = [file for kind in ("events.*", "run-*.wandb") for file in folder.rglob(kind)]
        assert told
        for file in told:
            for place in (tiny_model, reported.folder):
                assert str(place).encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_reporting_changes_nothing_that_is_computed(cli, reported, tiny_config, tmp_path, run_folder):
    quiet = run_folder(tmp_path / "r")
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", "--set", "iterations=1")
    assert result.code == 0, result.err
    told = reported.results()
    differing = {name for name, digest in quiet.results().items() if told.get(name) != digest}
    # The evaluated run's cards say more.
    assert differing == {"run.yaml", "M1/checkpoint/README.md", "M2/checkpoint/README.md"}
    # A run that reported to nobody goes on as one that does.
    again = cli.apart("train", tiny_config, "--runs", tmp_path, "--name", "r", *SHORT, env=OFFLINE)
    assert (again.code, "Nothing to do" in again.out) == (0, True), again.err


def until(process, happened):
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline and not happened():
        time.sleep(0.001)


def kill_beyond_a_checkpoint(cli, words, model):
    """Kill the command when a new checkpoint lies there, and steps have been reported that will be made again."""
    before, known = set(model.glob("training/step-*")), set(model.glob("tracking/events.*"))
    process = cli.fork(*words)
    until(process, lambda: set(model.glob("training/step-*")) - before)
    (events,) = set(model.glob("tracking/events.*")) - known
    size = events.stat().st_size
    until(process, lambda: events.stat().st_size > size + 500)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode


@pytest.mark.slow
def test_a_killed_training_is_shown_once(cli, tiny_config, tmp_path, run_folder):
    run = run_folder(tmp_path / "r")
    settings = ("iterations=0", "seeds.eft=false", "sft.epochs=30", "sft.save_steps=7", "report_to=tensorboard")
    words = ["train", tiny_config, "--runs", tmp_path, "--name", "r", *(w for s in settings for w in ("--set", s))]
    for _ in range(2):
        assert kill_beyond_a_checkpoint(cli, words, run.folder / "M1") == -signal.SIGKILL
    assert cli(*words).code == 0
    assert len(list((run.folder / "M1" / "tracking").glob("events.*"))) == 3
    log = [entry["step"] for entry in run.records("M1/training") if "loss" in entry]
    assert [step for step, _ in curves(run.folder / "M1" / "tracking")["train/loss"]] == log == [*range(1, 61)]


@pytest.mark.slow
def test_the_processes_of_a_launcher_report_too(cli, tiny_config, tmp_path, run_folder):
    run = run_folder(tmp_path / "r")
    settings = (
        "iterations=1",
        "seeds.eft=false",
        "report_to=[tensorboard, wandb]",
        f"launcher={sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2",
    )
    words = [word for setting in settings for word in ("--set", setting)]
    result = cli.apart("train", tiny_config, "--runs", tmp_path, "--name", "r", *words, env=OFFLINE)
    assert result.code == 0, result.err
    for model in ("M1", "M2"):
        log = [(entry["step"], entry["loss"]) for entry in run.records(f"{model}/training") if "loss" in entry]
        shown = curves(run.folder / model / "tracking")["train/loss"]
        assert shown == [(step, pytest.approx(loss, rel=1e-6)) for step, loss in log]
        kept = [row for row in rows(run.folder / model / "tracking") if "train/loss" in row]
        assert [(row["train/global_step"], row["train/loss"]) for row in kept] == log


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_is_said_before_anything(cli, tiny_config, tmp_path, name):
    hide = f"""
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "{name}" else find(name, *rest)
    """
    words = ("--runs", tmp_path, "--name", "r", "--set", f"report_to=[{name}]")
    result = cli.apart("train", tiny_config, *words, customize=hide)
    assert (result.code, result.out, len(result.errors)) == (2, "", 1)
    assert f"pip install {name}" in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "r").exists()


def test_an_evaluation_looks_for_its_trackers_first(cli, own_run):
    stored = own_run.folder / "run.yaml"
    text = stored.read_text(encoding="utf-8")
    stored.write_text(text.replace("report_to: []", "report_to: [wandb]"), encoding="utf-8")
    hide = """
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "wandb" else find(name, *rest)
    """
    result = cli.apart("eval", "M1", *EVALUATION, *own_run.at, customize=hide)
    assert (result.code, result.out) == (2, "")
    assert "pip install wandb" in result.err
    assert not (own_run.folder / "evals").exists()


@pytest.mark.slow
def test_wandb_without_a_key_says_how_to_go_on(cli, tiny_config, tmp_path):
    words = ("--runs", tmp_path, "--name", "r", "--set", "report_to=wandb")
    result = cli.apart("train", tiny_config, *words, env={"WANDB_MODE": "online"})
    assert (result.code, result.out, len(result.errors)) == (2, "", 1)
    assert "WANDB_MODE=offline" in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "r" / "SFT" / "checkpoint").exists()


def test_a_tracker_that_nobody_knows_is_refused(cli, tiny_config, tmp_path):
    result = cli("train", tiny_config, "--runs", tmp_path, "--set", "report_to=[tensorbord]")
    assert result.code == 2
    assert "report_to" in result.err
    assert "'tensorboard'" in result.err
