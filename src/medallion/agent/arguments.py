"""Arguments of the agent's tools: what a client or a model may give, checked before anything runs.

Names, kinds and defaults come from the signature of a tool, meanings from its docstring. An argument that the tool does not
have is refused, so that none is dropped silently.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Parameter, getdoc, signature
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from medallion.errors import MedallionError

#: An argument of a docstring, with its lines.
_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


@cache
def model(function: Callable[..., Any]) -> type[BaseModel]:
    """The arguments of a tool as a model that forbids others."""
    hints = get_type_hints(function)
    meanings = {name: " ".join(text.split()) for name, text in _ARGUMENT.findall(_part(function, "Args:"))}
    fields: dict[str, Any] = {}
    for name, parameter in signature(function).parameters.items():
        if name not in ("self", "tools"):
            default = ... if parameter.default is Parameter.empty else parameter.default
            fields[name] = (hints[name], Field(default, description=meanings.get(name)))
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def schema(of: type[BaseModel], choices: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """The JSON schema of arguments.

    Args:
        of: The arguments.
        choices: Of an argument that is a text, the values that it may have.
    """
    json_schema = of.model_json_schema()
    json_schema.pop("title", None)
    json_schema.pop("description", None)
    for name, argument in json_schema.get("properties", {}).items():
        argument.pop("title", None)
        for text in (argument, *argument.get("anyOf", ())):
            if text.get("type") == "string" and name in (choices or {}):
                text["enum"] = list((choices or {})[name])
    return json_schema


def checked(of: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as their tool takes them; those that were not given are left out.

    Raises:
        MedallionError: One is unknown, missing or of another kind; names it.
    """
    known = of.model_fields
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            has = f"Arguments: {', '.join(known)}." if known else "It has none."
            raise MedallionError(
                f"{of.__name__} has no argument {name[:40]!r}", f"Nearest: {near[0]}." if near else has
            )
    try:
        values = of.model_validate(dict(given))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)[0]
        name = str(wrong["loc"][0]) if wrong["loc"] else of.__name__
        if wrong["type"] == "missing":
            raise MedallionError(f"the argument {name} is missing", known[name].description or "Give it.") from error
        raise MedallionError(
            f"{name} = {str(given.get(name))[:80]!r}: {wrong['msg'].lower()}", known[name].description or "Correct it."
        ) from error
    return {name: getattr(values, name) for name in values.model_fields_set}


def about(function: Callable[..., Any]) -> str:
    """What a tool does: its docstring before the arguments."""
    return re.split(r"\n\s*(?:Args|Raises|Returns):\n", getdoc(function) or "")[0].strip()


def _part(function: Callable[..., Any], head: str) -> str:
    _, _, after = (getdoc(function) or "").partition(f"{head}\n")
    return re.split(r"\n(?=\S)", after)[0]
