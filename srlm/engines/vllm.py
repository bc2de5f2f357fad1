"""Text and probabilities out of a local checkpoint, with vLLM: the engine for GPUs, and for many of them.

vLLM schedules by itself: it takes all requests of a batch at once, fills rows as others end, and keeps prefixes that
requests share. Its asynchronous engine is used, because the plain one (`vllm.LLM`) refuses data_parallel_size. It runs
in processes of its own, so closing it gives all memory back.
"""

import asyncio
import atexit
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from srlm.checkpoint_files import read_config
from srlm.engines.architectures import context_of, rows_of
from srlm.engines.chat_template import Chat, Thoughts, chosen
from srlm.engines.engine import Done, Tick, no_tick
from srlm.engines.load import fingerprint, load_tokenizer, pick_device, pick_dtype
from srlm.engines.vllm_arguments import require_safe
from srlm.errors import EngineError, EngineFailed, UsageError
from srlm.optional_deps import require
from srlm.prices import FREE, Price
from srlm.types import Failed, Reply, Request

MAX_BATCH = 1024
"""Requests of a batch at the most. vLLM runs empty at the end of each, and a killed run loses one."""

SURROUNDINGS = {
    "VLLM_NO_USAGE_STATS": "1",  # else vLLM reports to its makers
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output carries results
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a copy of a process with threads may hang
}
"""The environment of vLLM, where the user's own says nothing else."""


def guarding(pid: int) -> list[str]:
    """The command that ends what a process leaves behind: no -m, which looks into the current folder for imports."""
    return [sys.executable, "-P", str(Path(__file__).with_name("reaper.py")), str(pid)]


class VLLMEngine:
    """A checkpoint run by vLLM, which is started at the first call that the ledger does not answer."""

    price: Price | None = FREE

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        device: str = "auto",
        dtype: str = "auto",
        arguments: Mapping[str, Any] | None = None,
        thoughts: Thoughts = "open",
    ) -> None:
        """Read the tokenizer and fingerprint the checkpoint.

        Args:
            folder: the checkpoint.
            name: how tables call it.
            device: only to choose the number format; vLLM uses what it was built for.
            dtype: see `srlm.config.TrainConfig`.
            arguments: of vLLM's engine, such as tensor_parallel_size.
            thoughts: "closed" keeps a reasoning model from thinking before its answers.

        Raises:
            MissingDependency: vLLM is not installed.
            ModelError: the tokenizer cannot be read, or has no chat template.
            UsageError: the device is one of several; vLLM is told of that in another way. Or an argument is not safe.
        """
        require_safe(arguments or {})
        require("vllm", "The engine vllm", "vllm")
        if ":" in device:
            raise UsageError(
                f"vLLM does not take device={device}. Leave it out, and name the GPUs in the environment: "
                f"CUDA_VISIBLE_DEVICES={device.partition(':')[2]}"
            )
        self.name = name
        self._folder = folder
        self._device = pick_device(device)
        self._dtype = str(pick_dtype(dtype, self._device)).removeprefix("torch.")
        self._arguments = dict(arguments or {})
        config = read_config(folder)
        limit = int(self._arguments.get("max_model_len") or context_of(config))
        tokenizer = load_tokenizer(folder)
        self._chat = Chat(tokenizer, name=name, context=limit, thoughts=thoughts, rows=rows_of(config))
        self.identity = f"{fingerprint(folder)}:{self._dtype}:vllm{self._chat.identity}"
        self._ids = itertools.count()
        self._loop: Any = None
        self._engine: Any = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Large batches of like requests, in their order."""
        batches: list[list[int]] = []
        for kind in (False, True):
            alike = [index for index, request in enumerate(requests) if bool(request.choices) is kind]
            batches += [alike[start : start + MAX_BATCH] for start in range(0, len(alike), MAX_BATCH)]
        for request in requests:
            self._chat.tokens(request)  # a prompt that is too long is refused before any work
        return batches

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick = no_tick) -> Iterator[Done]:
        """Answer batches one after the other, the requests of each side by side.

        Raises:
            EngineFailed: vLLM cannot start, or has stopped.
        """
        for number, batch in enumerate(batches):
            began = time.perf_counter()
            self._start()
            replies = self._wait(self._answer_all(batch, tick))
            yield Done(number, replies, time.perf_counter() - began)

    def close(self) -> None:
        """End vLLM's processes."""
        if self._loop is None:
            return
        self._wait(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._guard.kill()
        self._guard.wait()
        self._engine = self._loop = None
        atexit.unregister(self.close)

    def _start(self) -> None:
        if self._engine is not None:
            return
        # The reader may have an event loop of its own, as notebooks do; vLLM's is in another thread.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._guard = subprocess.Popen(guarding(os.getpid()))  # noqa: S603
        try:
            self._engine = self._wait(self._open())
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise EngineFailed(f"vLLM cannot start with {self.name}: {_brief(error)}") from None
        atexit.register(self.close)  # for whoever forgets to: it would end with a traceback of vLLM's

    async def _open(self) -> Any:
        for variable, value in SURROUNDINGS.items():
            os.environ.setdefault(variable, value)
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        arguments = {
            "model": str(self._folder),
            "dtype": self._dtype,
            "load_format": "safetensors",
            "max_model_len": self._chat.context,
            "enable_prefix_caching": True,
            "trust_remote_code": False,
            "use_tqdm_on_load": False,
            "disable_log_stats": True,
        }
        if self._device == "cpu":
            # vLLM 0.32 stops where a seeded request's prompt is read in parts: torch's generator cannot go back there.
            arguments["enable_chunked_prefill"] = False
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments | self._arguments))

    async def _shut(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in vLLM's thread, and give it up when this one is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _answer_all(self, batch: Sequence[Request], tick: Tick) -> list[Reply]:
        from vllm.exceptions import VLLMValidationError
        from vllm.v1.engine.exceptions import EngineDeadError

        async def answer(request: Request) -> Reply:
            reply = await (self._choose(request) if request.choices else self._generate(request))
            tick()
            return reply

        tasks = [asyncio.create_task(answer(request)) for request in batch]
        try:
            return await asyncio.gather(*tasks)
        except EngineDeadError:
            raise EngineFailed(
                f"vLLM stopped while it ran {self.name}; its own messages say why. What was answered before is kept, "
                "and the same command goes on from there."
            ) from None
        except (ValueError, VLLMValidationError) as error:
            raise EngineError(f"vLLM refuses a request to {self.name}: {_brief(error)}") from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _generate(self, request: Request) -> Reply:
        sampling = request.sampling
        prompt = self._chat.tokens(request)
        output = await self._last(
            prompt,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=min(sampling.max_tokens, self._chat.context - len(prompt)),
            # vLLM would stop inside of a thought as well: there, the answer is cut when it is whole.
            stop=[] if self._chat.may_think(request) else list(sampling.stop),
            seed=request.seed,
        )
        if output.finish_reason not in {"stop", "length"}:
            return Failed(f"vLLM ended the answer with {output.finish_reason}")
        ended = output.finish_reason == "stop"
        return self._chat.completion(request, list(output.token_ids), len(prompt), ended=ended, text=output.text)

    async def _choose(self, request: Request) -> Reply:
        """Probabilities of the choices: vLLM is asked for exactly these tokens, however unlikely they are."""
        choice = self._chat.choice(request)
        output = await self._last(
            choice.context, temperature=0.0, max_tokens=1, logprob_token_ids=choice.firsts, detokenize=False
        )
        logprobs = [output.logprobs[0][token].logprob for token in choice.firsts]
        return chosen(request, choice, logprobs, name=self.name)

    async def _last(self, prompt: list[int], **sampling: Any) -> Any:
        """What vLLM answers in the end."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **sampling)
        answers = self._engine.generate(tokens_input(prompt), parameters, str(next(self._ids)))
        return [answer async for answer in answers][-1].outputs[0]


def _brief(error: Exception) -> str:
    """The first line of what vLLM says; of a list of invalid arguments, the first one's."""
    listed = error.errors() if isinstance(error, ValidationError) else []
    text = str(listed[0]["msg"] if listed else error).strip()
    return f"{text.splitlines()[0] if text else type(error).__name__} ({type(error).__name__})"
