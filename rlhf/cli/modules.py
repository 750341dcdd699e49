"""Verbs as modules that are imported when they are asked for: their imports take longer than all else."""

import argparse
import importlib
import keyword
from types import ModuleType
from typing import Any


class ModuleParser(argparse.ArgumentParser):
    """A parser whose options a module's ``add_arguments`` declares, when there is something to parse."""

    def __init__(self, *args: Any, module: str | None = None, **kwargs: Any) -> None:
        """Take the module's full name, none below such a parser, and what an ``ArgumentParser`` takes."""
        super().__init__(*args, **kwargs)
        self._module = module

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Declare the options, once, and parse."""
        if self._module is not None:
            module, self._module = self._module, None
            importlib.import_module(module).add_arguments(self)
        return super().parse_known_args(args, namespace)


def add_modules(
    parser: argparse.ArgumentParser, *, dest: str, metavar: str, summaries: dict[str, str], package: str
) -> list[ModuleParser]:
    """Let a parser take one of these names, each of a module; return their parsers.

    Args:
        parser: of what stands before the name.
        dest: the option that the name becomes.
        metavar: what it is called in the help text.
        summaries: a line about each name.
        package: where the modules are, see ``module_of``.
    """
    names = parser.add_subparsers(dest=dest, required=True, metavar=metavar, parser_class=ModuleParser)
    return [
        names.add_parser(name, module=_full_name(package, name), help=summary, description=summary)
        for name, summary in summaries.items()
    ]


def module_of(package: str, name: str) -> ModuleType:
    """Return the module of a name: ``data-scale`` is ``data_scale.py``, and a keyword has a ``_`` behind."""
    return importlib.import_module(_full_name(package, name))


def _full_name(package: str, name: str) -> str:
    module = name.replace("-", "_")
    return f"{package}.{module}_" if keyword.iskeyword(module) else f"{package}.{module}"
