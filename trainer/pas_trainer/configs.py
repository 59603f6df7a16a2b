"""YAML to frozen settings: every unknown key and every value of another type is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from pas_middleware.errors import ConfigError

T = TypeVar("T")


def parse(kind: type[T], values: Any, where: str) -> T:
    """Return a dataclass of settings from a mapping, those within it too.

    Raises ConfigError naming the key, its value and what was expected.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {values!r};", hint="write lines of `key: value`.")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ConfigError(f"{where}: unknown setting {unknown[0]!r};", hint=f"known: {', '.join(known)}.")
    hints = get_type_hints(kind)
    built = {name: _value(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    for name, field in known.items():
        if name not in built and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing;", hint="set it.")
    return kind(**built)


def _value(hint: Any, value: Any, where: str) -> Any:
    inner = next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
    if inner is not None and value is not None:
        return parse(inner, value, where)  # type: ignore[arg-type]
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where} is {value!r}: {error.errors()[0]['msg']}.") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping of a YAML file; raises ConfigError where it is none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there;", hint="give a YAML file of settings.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no mapping;", hint="write lines of `key: value`.")
    return content
