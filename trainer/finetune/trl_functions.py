"""A copy of a function of TRL with other values for its module's names: for other callers nothing in TRL changes."""

import functools
from types import FunctionType
from typing import Any


def with_names(function: FunctionType, **names: Any) -> FunctionType:
    """Return a copy of a function that finds these values where it looks for its module's names.

    A name that the function does not use has no effect.
    """
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        argdefs=function.__defaults__,
        closure=function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(copy, function)
    return copy
