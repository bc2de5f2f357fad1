"""Give the memory of a model back as soon as its training, or its reading, has ended.

Libraries tie a model into reference cycles: TRL's output head, accelerate's autocast and PEFT set functions on it that
refer back to it, and a trainer and its callbacks refer to each other. Python frees a cycle only when its cyclic
collector runs, which counts objects and not bytes: weights, gradients and moments would stay in memory for long, while
the next model is loaded.
"""

from typing import Any


def release_trainer(trainer: Any) -> None:
    """Cut a trainer that is no longer used out of its cycles, and its model as `release_model` does."""
    for model in (trainer.model, trainer.model_wrapped):
        release_model(model)
    for part in (trainer.callback_handler, trainer.accelerator, trainer):
        vars(part).clear()


def release_model(model: Any) -> None:
    """Remove the functions that libraries have set on a model that is no longer used, and on one inside adapters."""
    parts = [model, model.get_base_model()] if hasattr(model, "get_base_model") else [model]
    for part in parts:
        for name in [name for name, value in vars(part).items() if callable(value)]:
            delattr(part, name)


def empty_caches() -> None:
    """Return the memory that torch keeps of models that are gone to the GPU, where other processes need it."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        import gc

        gc.collect()
        torch.cuda.empty_cache()
