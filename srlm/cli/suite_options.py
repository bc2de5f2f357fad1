"""The command `srlm eval` with the options that the suites declare, grouped by suite in its help.

The suites are imported when the command is used or its help is printed, so that `srlm --help` starts without them.
"""

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from srlm.cli.options import not_nan

if TYPE_CHECKING:
    from evals.options import Option

VALUES = "srlm.suite_options"
"""Key of the options' values, by name, in the `meta` of a context."""


class EvalCommand(TyperCommand):
    """A command that takes the options of the suites next to its own. Their values are in `context.meta[VALUES]`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters, then the suites', then --help."""
        own: list[Any] = super().get_params(ctx)
        return [*own[:-1], *_suite_params(ctx), *own[-1:]]

    def invoke(self, ctx: Any) -> Any:
        """Call the function without the suites' options, which it finds in the context."""
        ctx.meta[VALUES] = {param.name: ctx.params.pop(param.name) for param in _suite_params(ctx)}
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, the suites, the command's own options, and those of the suites in groups."""
        arguments: list[tuple[str, str]] = []
        options: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            group = options.setdefault(getattr(param, "rich_help_panel", None) or "Options", [])
            (arguments if param.param_type_name == "argument" else group).append(param.get_help_record(ctx))
        for title, rows in {"Arguments": arguments, "Suites": self.suites(), **options}.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def suites(self) -> list[tuple[str, str]]:
        """Return the name and the summary of each suite."""
        from evals.suites import evaluable_suites

        return [(one.name, one.summary) for one in evaluable_suites()]


def _suite_params(context: Any) -> list[Any]:
    """Build typer's parameters for the options of the suites, once a call of the command."""
    key = f"{VALUES}.params"
    if key not in context.meta:
        context.meta[key] = _built()
    params: list[Any] = context.meta[key]
    return params


def _built() -> list[Any]:
    from evals.options import group_options
    from evals.suites import evaluable_suites

    suites = {one.name: one.options for one in evaluable_suites()}
    found = [
        _parameter(option, "every suite" if len(group.suites) == len(suites) else ", ".join(group.suites))
        for group in group_options(suites)
        for option in group.options
    ]

    def command(**_: Any) -> None:
        """Carry the signature, from which typer makes parameters."""

    command.__signature__ = Signature(found)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in found}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    params: list[Any] = typer.main.get_command(app).params
    return params


def _parameter(option: "Option[Any]", takers: str) -> Parameter:
    info = typer.Option(
        option.flag,
        help=option.help,
        metavar=option.metavar,
        min=option.least,
        max=option.most,
        callback=not_nan if option.type is float else None,
        rich_help_panel=f"Options of {takers}",
    )
    annotation: Any = Annotated[option.type | None, info]
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
