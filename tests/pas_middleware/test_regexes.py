"""Every pattern and every rule on hostile text: work that grows with the square does not end in time."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pas_middleware

LENGTH = 100_000
UNITS = [
    *"\n \t\"'“([{<`.:#=,，鸟a1A",
    *("aA1 ", "的，", "1 1\n", "```", "- ", "\n ", "a\n", "/*", "e.g. ", "http://", "a@", "word ", "select ", "if "),
    *("- a:\n", "fix\n", "import ", "在a", "only ", "user:", "“a", "no ", "</"),
    *("../", "ab", "1.", "[/", "...", "？", "''", "(a"),
]
#: Only ever matched at the start of a text; searched for everywhere in it, they take half of the time.
AT_START = ("ENGLISH_OPENING", "ENGLISH_TASK", "_HAN_OPENING")
#: Seconds where the work grows with the length, minutes where with its square: a watchdog and no measurement.
WATCHDOG_S = 400


def patterns(value: object, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield every compiled pattern in a value, inside dictionaries and sequences too."""
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from patterns(part, f"{name}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from patterns(part, f"{name}[{number}]")


def calls_of_re() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of the module `re` in the package, by the name of the module that makes it."""
    root = Path(pas_middleware.__file__).parent
    for path in sorted(root.rglob("*.py")):
        name = ".".join(("pas_middleware", *path.relative_to(root).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re":
                yield name, node


def all_patterns() -> list[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    calls = list(calls_of_re())
    inline = [(f"{name} inline", re.compile(call.args[0].value)) for name, call in calls if call.func.attr != "compile"]
    modules = [importlib.import_module(name) for name in sorted({name for name, _ in calls})]
    named = [
        found
        for module in modules
        for name, value in vars(module).items()
        for found in patterns(value, f"{module.__name__}.{name}")
    ]
    return inline + list({pattern: (name, pattern) for name, pattern in named}.values())  # some are imported elsewhere


def hostile(unit: str) -> str:
    # Something else at the end, so that what counts on a whole run is disappointed.
    return (unit * (LENGTH // len(unit) + 1))[:LENGTH] + "~"


def hostile_to(pattern: re.Pattern[str] | re.Pattern[bytes], unit: str) -> str | bytes:
    return hostile(unit) if isinstance(pattern.pattern, str) else hostile(unit).encode()


def run_patterns() -> None:
    for name, pattern in all_patterns():
        print(name, flush=True)
        for unit in UNITS:
            if name.endswith(AT_START):
                pattern.match(hostile_to(pattern, unit))
                continue
            for _ in pattern.finditer(hostile_to(pattern, unit)):
                pass


def run_functions() -> None:
    from pas_middleware import constraints, framing, guard, language, rules, words
    from pas_middleware.errors import GuardRejected

    def checked(text: str) -> None:
        try:
            guard.check(text, text[:-2], max_words=30)
        except GuardRejected:
            return

    functions = [
        *(rules.is_blank, rules.is_code_only, rules.is_follow_up, constraints.constraints_of, language.detect),
        *(framing.needs_frame, framing.unframed, words.count_words, lambda t: words.cut_at_sentence(t, 30), checked),
    ]
    for unit in UNITS:
        text = hostile(unit)
        for function in functions:
            print(repr(unit), function, flush=True)
            function(text)
            function(text[:-1])


def test_every_pattern_is_found_and_tried_with_50_units():
    names = [name for name, _ in all_patterns()]
    for module, made in Counter(name for name, _ in calls_of_re()).items():
        assert sum(name.startswith((f"{module}.", f"{module} ")) for name in names) >= made, module
    assert len(UNITS) >= 50
    assert "pas_middleware.framing._ENDS_IN_MATERIAL" in names
    assert any(name.startswith("pas_middleware.code_only._BEYOND_DOUBT['") for name in names)
    assert any(name.startswith("pas_middleware.constraints._BARE[") for name in names)
    assert len(names) >= 80


@pytest.mark.parametrize("part", ["patterns", "functions"])
def test_hostile_text_is_read_in_time(part):
    # In a process of its own: a pattern that hangs holds the interpreter and could not be stopped in this one.
    child = subprocess.Popen(
        [sys.executable, __file__, part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        out, _ = child.communicate(timeout=WATCHDOG_S)
    except subprocess.TimeoutExpired:
        child.kill()
        out, _ = child.communicate()
        pytest.fail(f"stopped in {out.splitlines()[-1]}")
    assert child.returncode == 0, out[-2_000:]


if __name__ == "__main__":
    {"patterns": run_patterns, "functions": run_functions}[sys.argv[1]]()
