"""Reward models: sequence classifiers with one logit, which is the value of a conversation that ends with an answer.

The conversation is written by the checkpoint's own chat template, and the logit is that of a plain call of
transformers: no sigmoid, no scale, so values are unbounded and differ between models. Conversations are sorted by
length, and read in batches with padding on the right. Left out: classifiers of pairs of texts, reward heads with code
of their own, and vLLM.
"""

import time
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from srlm.checkpoint_files import read_config, require_checkpoint
from srlm.engines.architectures import context_length, require_settings, vocabulary_size
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.device import identity_of_device, pick_device, pick_dtype
from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.engines.fingerprint import fingerprint
from srlm.engines.load import load_tokenizer, load_weights
from srlm.engines.load_errors import translate_errors
from srlm.engines.template_parts import QUESTION, render, text_around_answer
from srlm.engines.weight_checks import HEADS, Loading, require_whole
from srlm.errors import ModelError
from srlm.optional_deps import require
from srlm.prices import FREE, Price
from srlm.rewards.source import reply_of, require_answer
from srlm.types import Failed, Message, Reply, Request

CLASSIFIER = "ForSequenceClassification"

MAX_ROWS = 64
"""Conversations of a batch: they are committed together, and lost together when a run is killed."""

READ_TOKENS = 16384
"""Tokens of a batch with padding, if batch_tokens is not given."""


def is_classifier(folder: Path) -> bool:
    """Return whether a checkpoint is a sequence classifier, by the architecture in its config.json."""
    names = read_config(folder).get("architectures")
    return isinstance(names, list) and any(str(name).endswith(CLASSIFIER) for name in names)


class RewardModel:
    """A reward model as a source of verdicts. Its weights are loaded at the first call that is not in the ledger."""

    price: Price | None = FREE

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        """Read the tokenizer and fingerprint the checkpoint.

        Args:
            folder: the checkpoint.
            name: display name.
            device: see `srlm.config.TrainConfig`.
            dtype: likewise.
            batch_tokens: tokens of a batch with padding; `READ_TOKENS`, if not given.

        Raises:
            MissingDependency: torch or transformers is not installed.
            ModelError: it has no single logit, or no chat template that writes answers, or cannot be read.
        """
        require("torch", "A reward model", "local")
        require("transformers", "A reward model", "local")
        self.name = name
        self._folder = folder
        config = read_config(folder)
        _require_one_logit(folder, config)
        self._tokenizer = load_tokenizer(folder)
        self._context = min(context_length(config), self._tokenizer.model_max_length)
        self._rows = vocabulary_size(config)
        self._chat = ChatTokenizer(self._tokenizer, name=name, context=self._context, rows=self._rows)
        if text_around_answer(self._tokenizer, [Message("user", QUESTION)], name, {})[0] is None:
            raise ModelError(
                f"The chat template of {folder} leaves answers out, so its reward model would not see them."
            )
        self._device = pick_device(device)
        self._dtype = pick_dtype(dtype, self._device)
        self._batch_tokens = batch_tokens or READ_TOKENS
        digest = fingerprint(folder)
        self.label = f"reward-model:{digest[:12]}"
        number = str(self._dtype).removeprefix("torch.")
        self.identity = f"reward-model:{digest}:{number}{identity_of_device(self._device)}"
        self._loaded: Any = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan batches, sorted by length.

        Raises:
            EngineError: a request asks for text, or the template refuses a conversation.
        """
        lengths = [len(self.tokens(request)) for request in requests]
        batches: list[list[int]] = []
        for index in sorted(range(len(requests)), key=lambda index: (lengths[index], index)):
            # The one that is added last is the longest: all are padded to its length.
            if batches and len(batches[-1]) < min(MAX_ROWS, self._batch_tokens // max(1, lengths[index])):
                batches[-1].append(index)
            else:
                batches.append([index])
        return batches

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Compute the logits of batches one after the other.

        A conversation that is longer than the context, or has a logit that is not finite, fails.
        """
        for number, batch in enumerate(batches):
            began = time.perf_counter()
            texts = [self.tokens(request) for request in batch]
            fitting = [tokens for tokens in texts if len(tokens) <= self._context]
            values = iter(self._logits(fitting))
            replies = [
                _reply(next(values), len(tokens)) if len(tokens) <= self._context else self._too_long(len(tokens))
                for tokens in texts
            ]
            for _ in batch:
                on_progress()
            failed = tuple(reply.reason for reply in replies if isinstance(reply, Failed))
            yield BatchResult(number, replies, time.perf_counter() - began, failed)

    def close(self) -> None:
        """Free the weights."""
        import torch

        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def load(self) -> None:
        """Load the weights now, to find out whether they can be.

        Raises:
            ModelError: the weights are missing, left over, or not finite; the score head too.
        """
        if self._loaded is None:
            from transformers import AutoModelForSequenceClassification as Classifier

            model = load_weights(Classifier, self._folder, self._dtype, self._device, _require_whole)
            model.config.get_text_config().use_cache = False
            self._loaded = model

    def tokens(self, request: Request) -> list[int]:
        """Return the tokens of a conversation, with special tokens in its texts broken up.

        Raises:
            EngineError: it does not end with an answer, or the template refuses it.
        """
        require_answer(request, self.name)
        escaped = self._chat.escape_messages(request.messages)
        text = render(self._tokenizer, escaped, self.name, add_generation_prompt=False)
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return tokens

    def _too_long(self, tokens: int) -> Failed:
        return Failed(f"a conversation of {tokens} tokens, more than the {self._context} of the reward model")

    def _logits(self, texts: Sequence[list[int]]) -> list[float]:
        """Return the logit of each text, in as many passes as the memory needs."""
        from srlm.engines.batch_size import retry_with_smaller_batch

        found: list[float] = []

        def attempt(rows: int) -> None:
            while len(found) < len(texts):
                found.extend(self._pass(texts[len(found) : len(found) + rows]))

        if texts:
            self.load()
            retry_with_smaller_batch(attempt, len(texts), self.name)
        return found

    def _pass(self, texts: Sequence[list[int]]) -> list[float]:
        import torch

        config = self._loaded.config.get_text_config()
        own = config.pad_token_id
        pad = own if own is not None and own >= 0 else self._unused_token(texts)
        if pad is None and len(texts) > 1:
            return [value for text in texts for value in self._pass([text])]
        longest = max(map(len, texts))
        ids = torch.tensor([[*text, *[pad or 0] * (longest - len(text))] for text in texts], device=self._device)
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts], device=self._device)
        try:
            config.pad_token_id = pad  # transformers reads the logit at the last token that is not this one
            with torch.inference_mode():
                logits = self._loaded(input_ids=ids, attention_mask=mask).logits
        finally:
            config.pad_token_id = own
        return [float(value) for value in logits.float().reshape(len(texts)).tolist()]

    def _unused_token(self, texts: Sequence[list[int]]) -> int | None:
        """Return a token that no text has, for a model without a token for padding; None if texts have all."""
        used = {token for text in texts for token in text}
        return next((token for token in range(self._rows or 0) if token not in used), None)


def _reply(value: float, tokens: int) -> Reply:
    return reply_of(value, tokens) if isfinite(value) else Failed("the logit is not finite")


def _require_one_logit(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a checkpoint that is no classifier with one logit, before anything large is read.

    Raises:
        ModelError: the message says what the checkpoint is.
    """
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoConfig

    require_checkpoint(folder)
    require_settings(config, folder)
    with translate_errors(folder, "config"):
        known = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if type(known) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise ModelError(
            f"{folder} cannot be a reward model: transformers has no sequence classifier of the architecture "
            f"{config.get('model_type')}."
        )
    if known.num_labels != 1:
        raise ModelError(
            f"{folder} gives {known.num_labels} logits for a text, and a reward model gives one (num_labels 1 in its "
            "config.json). It is a classifier of labels: use a model that was trained to score answers, or call it in "
            "a reward program of yours, FILE.py:FUNCTION."
        )


def _require_whole(folder: Path, loading: Loading) -> None:
    """Refuse weights that do not fit, as of any model, and first those without a trained score head.

    Raises:
        ModelError: see `RewardModel.load`.
    """
    head = next((name for name in sorted(map(str, loading["missing_keys"])) if HEADS.search(name)), None)
    if head:
        raise ModelError(
            f"{folder} has no weights of a score head ({head}): its values would be random numbers. It may be the "
            "language model that a reward model is made from; use the checkpoint of the trained reward model."
        )
    # The head of the language model that it was made from is not read.
    over = [name for name in map(str, loading["unexpected_keys"]) if not name.startswith("lm_head.")]
    require_whole(folder, {**loading, "unexpected_keys": over})
