"""Engine for a local checkpoint on one or several GPUs, with vLLM.

vLLM does its own scheduling: it gets all requests of a call at once, batches continuously, and caches shared prefixes.
Its asynchronous engine is used because `vllm.LLM` refuses data_parallel_size, with the limits of `vllm.LLM`: those of
the plain asynchronous engine are for a GPU of unknown size. It runs in processes of its own, so closing it frees all
memory. tests/with_vllm/test_vllm_interface.py lists what is used of vLLM.
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
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pydantic import ValidationError

from srlm.checkpoint_files import read_config, read_object
from srlm.engines.architectures import context_length, vocabulary_size
from srlm.engines.chat_template import ChatTokenizer, choice_completion
from srlm.engines.device import identity_of_device, pick_device, pick_dtype
from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.engines.fingerprint import fingerprint
from srlm.engines.load import eos_tokens, load_tokenizer
from srlm.engines.template_parts import Thoughts
from srlm.engines.vllm_arguments import SERIES, require_safe
from srlm.errors import EngineError, EngineFailed, UsageError
from srlm.optional_deps import require
from srlm.prices import FREE, Price
from srlm.types import Failed, Reply, Request

BATCH = 128
"""Requests that are committed together: a killed run computes those again whose batch was not complete."""

ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",  # no usage statistics are sent to the vLLM project
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output carries results
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork of a process with threads may hang
}
"""Environment variables of vLLM, unless the user has set them."""


def reaper_command(pid: int) -> list[str]:
    """Return the command that kills the orphans of a process. Without -m, which imports from the current folder."""
    return [sys.executable, "-P", str(Path(__file__).with_name("reaper.py")), str(pid)]


class VLLMEngine:
    """A local checkpoint on vLLM, which starts at the first call that the ledger does not answer."""

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
            name: display name.
            device: only to choose the dtype; vLLM uses the device that it was built for.
            dtype: see `srlm.config.TrainConfig`.
            arguments: of vLLM's engine, such as tensor_parallel_size.
            thoughts: "closed" keeps a reasoning model from reasoning before its answers.

        Raises:
            MissingDependency: vLLM is not installed.
            ModelError: the tokenizer cannot be read, or has no chat template.
            UsageError: the device has a number, which vLLM takes in another way; or an argument is not safe.
        """
        require_safe(arguments or {})
        require("vllm", "The engine vllm", "vllm", f"~={SERIES}.0")
        if ":" in device:
            raise UsageError(
                f"vLLM does not support device={device}. Omit it, and set the GPUs in the environment: "
                f"CUDA_VISIBLE_DEVICES={device.partition(':')[2]}"
            )
        self.name = name
        self._folder = folder
        self._device = pick_device(device)
        self._dtype = str(pick_dtype(dtype, self._device)).removeprefix("torch.")
        self._arguments = dict(arguments or {})
        config = read_config(folder)
        tokenizer = load_tokenizer(folder)
        limit = int(self._arguments.get("max_model_len") or context_length(config))
        rows = vocabulary_size(config)
        self._chat = ChatTokenizer(tokenizer, name=name, context=limit, thoughts=thoughts, rows=rows)
        self.identity = (
            f"{fingerprint(folder)}:{self._dtype}:vllm{self._chat.identity}{identity_of_device(self._device)}"
        )
        self._end_of_turn = self._missing_end_of_turn(tokenizer)
        self._ids = itertools.count()
        self._loop: Any = None
        self._engine: Any = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan batches of requests of one kind, in order. All are computed concurrently: see `run`."""
        batches: list[list[int]] = []
        for kind in (False, True):
            alike = [index for index, request in enumerate(requests) if bool(request.choices) is kind]
            batches += [alike[start : start + BATCH] for start in range(0, len(alike), BATCH)]
        self._chat.read(requests)  # not in vLLM's event loop; and a prompt that is too long is refused before any work
        return batches

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Hand over the requests of all batches at once; yield each batch when it is complete.

        So vLLM is never idle before the last answers of the call. Closing the iterator aborts what is not answered. The
        `seconds` of a batch are those since another one was complete: their sum is the time of the call.

        Raises:
            EngineFailed: vLLM cannot start, or has stopped.
            EngineError: vLLM refuses a request.
        """
        if not batches:
            return
        before = time.perf_counter()
        self._start()
        complete: SimpleQueue[tuple[int, Future[list[Reply]]]] = SimpleQueue()
        pending: set[Future[list[Reply]]] = set()

        def hand_over(number: int, batch: Sequence[Request]) -> None:
            answers = asyncio.run_coroutine_threadsafe(self._answer_all(batch, on_progress), self._loop)
            pending.add(answers)
            answers.add_done_callback(lambda done: complete.put((number, done)))
            self._wait(asyncio.sleep(0))  # the loop reads answers before it gets the next batch

        def take() -> BatchResult:
            nonlocal before
            number, answers = complete.get()
            pending.remove(answers)
            replies = answers.result()
            since, before = before, time.perf_counter()
            return BatchResult(number, replies, before - since, more_ready=not complete.empty())

        try:
            for number, batch in enumerate(batches):
                hand_over(number, batch)
                while not complete.empty():
                    yield take()
            while pending:
                yield take()
        finally:
            for answers in pending:
                answers.cancel()

    def close(self) -> None:
        """End vLLM's processes."""
        if self._loop is None:
            return
        self._wait(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._reaper.kill()
        self._reaper.wait()
        self._engine = self._loop = None
        atexit.unregister(self.close)

    def _start(self) -> None:
        if self._engine is not None:
            return
        # The calling thread may have an event loop of its own, as in notebooks; vLLM's runs in another thread.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._reaper = subprocess.Popen(reaper_command(os.getpid()))  # noqa: S603
        try:
            self._engine = self._wait(self._open())
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise EngineFailed(f"vLLM cannot start with {self.name}: {_first_line(error)}") from None
        atexit.register(self.close)  # an engine that is never closed would end with a traceback of vLLM

    async def _open(self) -> Any:
        for variable, value in ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        from vllm import AsyncEngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        # The context chooses the sequences and tokens of a step by the GPU: up to 1,024 and 16,384, not 128 and 2,048.
        return AsyncLLM.from_engine_args(
            AsyncEngineArgs(**self.engine_arguments()), usage_context=UsageContext.LLM_CLASS
        )

    def engine_arguments(self) -> dict[str, Any]:
        """Return the arguments of vLLM's engine: ours, and then the user's."""
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
            # vLLM 0.32 fails on a seeded request whose prefill is chunked: torch's CPU generator cannot be rewound.
            arguments["enable_chunked_prefill"] = False
        return arguments | self._arguments

    async def _shut(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in vLLM's thread; cancel it when this thread is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _answer_all(self, batch: Sequence[Request], on_progress: OnProgress) -> list[Reply]:
        from vllm.exceptions import VLLMValidationError
        from vllm.v1.engine.exceptions import EngineDeadError

        async def answer(request: Request) -> Reply:
            reply = await (self._choose(request) if request.choices else self._generate(request))
            on_progress()
            return reply

        tasks = [asyncio.create_task(answer(request)) for request in batch]
        try:
            return await asyncio.gather(*tasks)
        except EngineDeadError:
            raise EngineFailed(
                f"vLLM stopped while running {self.name}; see its messages for the cause. Completed batches are kept; "
                "run the same command again to resume."
            ) from None
        except (ValueError, VLLMValidationError) as error:
            raise EngineError(f"vLLM refuses a request to {self.name}: {_first_line(error)}") from None
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
            # vLLM would also stop inside of the reasoning: such an answer is truncated when it is complete.
            stop=[] if self._chat.may_reason(request) else list(sampling.stop),
            seed=request.seed,
            stop_token_ids=self._end_of_turn,
        )
        if output.finish_reason not in {"stop", "length"}:
            return Failed(f"vLLM ended the answer with {output.finish_reason}")
        ended = output.finish_reason == "stop"
        return self._chat.completion(request, list(output.token_ids), len(prompt), ended=ended, text=output.text)

    def _missing_end_of_turn(self, tokenizer: Any) -> list[int]:
        """Return the template's end of turn if the checkpoint's settings, by which vLLM stops, do not name it."""
        generation = self._folder / "generation_config.json"
        settings = read_object(generation) if generation.exists() else {}
        declared = settings.get("eos_token_id", read_config(self._folder).get("eos_token_id"))
        eos = eos_tokens(declared, tokenizer)
        return sorted(self._chat.with_end_of_turn(eos) - eos)

    async def _choose(self, request: Request) -> Reply:
        """Compute the probabilities of the choices: vLLM returns those of exactly these tokens, however unlikely."""
        choice = self._chat.choice(request)
        output = await self._last(
            choice.context, temperature=0.0, max_tokens=1, logprob_token_ids=choice.firsts, detokenize=False
        )
        logprobs = [output.logprobs[0][token].logprob for token in choice.firsts]
        return choice_completion(request, choice, logprobs, name=self.name)

    async def _last(self, prompt: list[int], **sampling: Any) -> Any:
        """Generate and return the final output."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **sampling)
        answers = self._engine.generate(tokens_input(prompt), parameters, str(next(self._ids)))
        return [answer async for answer in answers][-1].outputs[0]


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message; of a list of invalid arguments, the first one's."""
    listed = error.errors() if isinstance(error, ValidationError) else []
    text = str(listed[0]["msg"] if listed else error).strip()
    return f"{text.splitlines()[0] if text else type(error).__name__} ({type(error).__name__})"
