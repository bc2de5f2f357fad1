"""vLLM as far as it can be tested without it: names, options, and the requests to a server.

Tests with the real one: tests/with_vllm.
"""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openai")

from srlm.config_file import load_config
from srlm.engines.choice import EngineChoice
from srlm.engines.client_config import ClientConfig
from srlm.engines.hf import HFEngine
from srlm.engines.open import is_remote, open_engine, public_name
from srlm.engines.vllm import VLLMEngine, reaper_command
from srlm.engines.vllm_arguments import require_safe
from srlm.engines.vllm_server import VLLMServer
from srlm.errors import EngineError, MissingDependency, UsageError
from srlm.prices import FREE
from srlm.types import Completion, Failed, Message, Request, Sampling

MASSES = {"0": 0.1, "5": 0.3}


class Server(ThreadingHTTPServer):
    """Its tokens are letters. It gives the masses above to the tokens "0" and "5", and continues with "!"."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.opens = ""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        payload = json.dumps(self.answer(body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        usage = {"prompt_tokens": 7, "completion_tokens": 1}
        if self.path == "/tokenize":
            text = body["prompt"] if "prompt" in body else f"[{body['messages'][-1]['content']}]{self.server.opens}"
            return {"tokens": [ord(letter) for letter in text], "count": len(text), "max_model_len": 99}
        if self.path == "/v1/chat/completions":
            message = {"role": "assistant", "content": "Hm"}
            return {"choices": [{"message": message, "finish_reason": "length"}], "usage": usage}
        known = [token for token in body.get("logprob_token_ids", []) if chr(token) in MASSES]
        wanted = {f"token_id:{token}": log(MASSES[chr(token)]) for token in known}
        choice = {"text": "!", "finish_reason": "stop", "logprobs": {"top_logprobs": [wanted]} if wanted else None}
        return {"choices": [choice], "usage": usage}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def reply(server: Server, request: Request) -> Completion | Failed:
    engine = open_engine(f"vllm:judge@http://127.0.0.1:{server.server_address[1]}/v1", client=ClientConfig(timeout=5.0))
    assert engine.name == "vllm:judge"
    assert engine.price == FREE
    (done,) = engine.run([[request]])
    return done.replies[0]


def test_a_server_is_asked_for_exactly_the_tokens_of_the_choices(server: Server) -> None:
    request = Request((Message("user", "Rate"),), prefill="Score: ", choices=("0", "5"))
    found = reply(server, request)
    assert isinstance(found, Completion)
    assert found.probabilities == pytest.approx((0.25, 0.75))
    assert found.text == "5"
    path, body = server.asked[-1]
    assert path == "/v1/completions"
    assert "".join(map(chr, body["prompt"])) == "[Rate]Score: "
    assert [chr(token) for token in body["logprob_token_ids"]] == ["0", "5"]


def test_a_server_gets_a_system_message_and_every_turn(server: Server) -> None:
    turns = (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b"), Message("user", "Rate"))
    for request in (Request(turns, Sampling(0.7, 0.9, 16)), Request(turns, choices=("0", "5"))):
        assert isinstance(reply(server, request), Completion)
    asked = [body["messages"] for _, body in server.asked if "messages" in body]
    assert asked == [[{"role": one.role, "content": one.content} for one in turns]] * len(asked)
    assert {path for path, body in server.asked if "messages" in body} == {"/v1/chat/completions", "/tokenize"}


@pytest.mark.parametrize(
    ("style", "declared", "added"),
    [
        ("llama3", None, "<|eot_id|>"),
        ("llama3", ["<|end_of_text|>", "<|eot_id|>"], None),
        ("gemma", None, "<end_of_turn>"),
        ("chatml", None, None),
    ],
)
def test_vllm_stops_at_the_end_of_turn_that_the_settings_lack(
    style: str, declared: list[str] | None, added: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from helpers.conversation_styles import style_checkpoint, style_tokenizer

    monkeypatch.setattr("srlm.engines.vllm.require", lambda *words: None)
    folder, tokenizer = style_checkpoint(tmp_path, style), style_tokenizer(style)
    if declared:
        settings = {"eos_token_id": tokenizer.convert_tokens_to_ids(declared)}
        (folder / "generation_config.json").write_text(json.dumps(settings))
    engine = VLLMEngine(folder, name="tiny", device="cpu")
    assert engine._end_of_turn == ([] if added is None else [tokenizer.convert_tokens_to_ids(added)])


def test_nothing_is_tokenized_in_vllms_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests would trickle in one by one: the plan has tokenized each distinct prompt, once."""
    pytest.importorskip("torch")
    from helpers.tiny_models import CountingTokenizer, ask, checkpoint
    from srlm.engines import vllm

    folder = checkpoint(tmp_path, "chatml")
    counting = CountingTokenizer(vllm.load_tokenizer(folder))
    monkeypatch.setattr(vllm, "require", lambda *words: None)
    monkeypatch.setattr(vllm, "load_tokenizer", lambda folder: counting)
    engine = VLLMEngine(folder, name="tiny", device="cpu")
    sampled = [ask(text, sample) for text in ("A or B?", "Rain.") for sample in range(3)]
    chosen = [ask(text, choices=("A", "B")) for text in ("A or B?", "Rain.")]
    prompts = {engine._chat.text(request) for request in [*sampled, *chosen]}
    counting.texts.clear()
    engine.plan([*sampled, *chosen])
    assert {text: counting.texts[text] for text in prompts} == dict.fromkeys(prompts, 1)
    counting.texts.clear()

    async def last(prompt: list[int], **sampling: Any) -> Any:
        first = {token: SimpleNamespace(logprob=-1.0) for token in sampling.get("logprob_token_ids", [])}
        return SimpleNamespace(finish_reason="stop", token_ids=prompt[:3], text="Yes", logprobs=[first])

    monkeypatch.setattr(engine, "_last", last)

    async def answers() -> list[Any]:
        generated = [engine._generate(request) for request in sampled]
        return await asyncio.gather(*generated, *(engine._choose(request) for request in chosen))

    assert all(isinstance(found, Completion) for found in asyncio.run(answers()))
    assert not counting.texts


def test_a_choice_stands_behind_a_closed_thought(server: Server) -> None:
    server.opens = "<think>\n"
    assert isinstance(reply(server, Request((Message("user", "Rate"),), choices=("0", "5"))), Completion)
    assert "".join(map(chr, server.asked[-1][1]["prompt"])) == "[Rate]<think>\n\n</think>\n\n"
    told = [body["chat_template_kwargs"] for _, body in server.asked if "messages" in body]
    assert told == [{"enable_thinking": False, "thinking": False}]


def test_choices_part_after_what_they_share_and_must_part(server: Server) -> None:
    assert isinstance(reply(server, Request((Message("user", "Rate"),), choices=("10", "15"))), Completion)
    _, body = server.asked[-1]
    assert "".join(map(chr, body["prompt"])) == "[Rate]1"
    with pytest.raises(EngineError, match="cannot distinguish"):
        reply(server, Request((Message("user", "Rate"),), choices=("1", "1")))


def test_a_server_that_does_not_know_how_is_named(server: Server) -> None:
    with pytest.raises(EngineError, match=r"vllm:judge gives no probabilities of the choices"):
        reply(server, Request((Message("user", "Rate"),), choices=("0", "?")))


def test_an_answer_goes_on_from_its_beginning_as_tokens(server: Server) -> None:
    request = Request((Message("user", "List"),), Sampling(0.7, 0.9, 16, stop=("x",)), seed=3, prefill="1.")
    assert reply(server, request) == Completion("!", "stop", 7, 1)
    _, body = server.asked[-1]
    assert "".join(map(chr, body["prompt"])) == "[List]1."
    asked = (body["temperature"], body["top_p"], body["max_tokens"], body["stop"], body["seed"], body["top_k"])
    assert asked == (0.7, 0.9, 16, ["x"], 3, 0)
    assert "messages" not in body


def test_sampling_is_what_was_asked_for_and_not_what_the_model_brings(server: Server) -> None:
    found = reply(server, Request((Message("user", "Say"),), Sampling(0.7, 0.9, 1)))
    assert found == Completion("Hm", "length", 7, 1)
    ((path, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (0, 0.0, 1.0)


def test_a_name_with_an_address_is_a_server_and_hides_its_password() -> None:
    assert is_remote("vllm:judge@http://host:8000/v1")
    assert not is_remote("vllm:models/M2")
    assert public_name("vllm:judge@http://me:secret@host/v1") == "vllm:judge@http://host/v1"


def test_settings_reach_vllm_under_its_own_names() -> None:
    changes = [
        "engine=vllm",
        "vllm.tensor_parallel_size=4",
        "vllm.gpu_memory_utilization=0.5",
        "vllm.extra_args.max_num_seqs=64",
    ]
    config = load_config("quickstart", changes)
    arguments = config.vllm.arguments()
    assert config.engine == "vllm"
    assert (arguments["tensor_parallel_size"], arguments["gpu_memory_utilization"]) == (4, 0.5)
    assert arguments["max_num_seqs"] == 64
    assert "max_model_len" not in arguments
    with pytest.raises(UsageError, match=r"vllm\.tensor_parallel_size"):
        load_config("quickstart", ["vllm.tensor_parallel=2"])


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"load_format": "auto"}, "load_format"),
        ({"load_format": "dummy"}, "load_format"),
        ({"worker_cls": "mine.Worker"}, "worker_cls"),
        ({"tokenizer": "another"}, "tokenizer"),
    ],
)
def test_a_configuration_cannot_make_vllm_run_other_code(
    arguments: dict[str, Any], name: str, tiny_model: Path
) -> None:
    """A run.yaml travels with its run; such a setting is refused before vLLM is imported."""
    with pytest.raises(UsageError, match=rf"vllm\.extra_args\.{name} is not allowed in a configuration.*vllm serve"):
        open_engine(str(tiny_model), engine="vllm", vllm=arguments)
    require_safe({"max_num_seqs": 64, "load_format": "safetensors", "quantization": "fp8"})


def test_the_reaper_runs_installed_code_alone(tmp_path: Path) -> None:
    """It does not import psutil.py or json.py of the current folder."""
    (tmp_path / "psutil.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    (tmp_path / "json.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    reaper = subprocess.run(reaper_command(ended.pid), cwd=tmp_path, check=False, timeout=60)
    assert reaper.returncode == 0
    assert not (tmp_path / "ran").exists()


def test_the_engine_of_a_local_model_is_chosen_by_the_machine_and_told_once(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def choose(device: str) -> EngineChoice:
        asked.append(device)
        return EngineChoice("vllm", "Engine: vLLM.")

    monkeypatch.setattr("srlm.engines.open.choose_engine", choose)
    monkeypatch.setattr("srlm.engines.vllm.require", lambda *words: None)
    said: list[str] = []
    client = ClientConfig(warn=said.append)
    for _ in range(2):
        assert isinstance(open_engine(str(tiny_model), device="cpu", client=client), VLLMEngine)
    assert (asked, said) == (["cpu", "cpu"], ["Engine: vLLM."])
    assert isinstance(open_engine(str(tiny_model), device="cpu", engine="hf", client=client), HFEngine)
    assert isinstance(open_engine("vllm:m@http://127.0.0.1:1/v1", client=client), VLLMServer)
    assert len(asked) == 2


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
@pytest.mark.parametrize(("spec", "engine"), [("vllm:{}", "hf"), ("{}", "vllm")])
def test_without_vllm_the_message_says_how_to_get_it(spec: str, engine: str, tiny_model: Path) -> None:
    with pytest.raises(MissingDependency, match=re.escape("pip install vllm~=0.32.0 ")):
        open_engine(spec.format(tiny_model), engine=engine)
