"""The shape of the tree, as checks: sizes, docstrings, names, registries, secrets."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("engine", "adapters", "strategies")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULES = [path for path in SOURCES if path.name != "__init__.py"]
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 70
MOST_ASYNC_IDLE = 0


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions(path: Path) -> list[str]:
    return [
        f"{named(path)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    ]


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module_is_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))

    assert len(text.splitlines()) <= MOST_FILE_LINES
    assert docstring
    assert 1 <= len(docstring.splitlines()) <= 30
    assert path.stem not in ("utils", "helpers", "common", "misc")


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_functions_are_short(path: Path) -> None:
    assert long_functions(path) == []


def test_a_long_function_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.py"
    path.write_text("def long():\n" + "    pass\n" * MOST_FUNCTION_LINES)
    monkeypatch.setattr("tests.test_architecture.ROOT", tmp_path)

    assert len(long_functions(path)) == 1


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_an_async_function_waits_for_something(path: Path) -> None:
    for node in functions(path):
        if isinstance(node, ast.AsyncFunctionDef) and not awaited_by_others(node):
            waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
            assert any(isinstance(inner, waits) for inner in ast.walk(node)), f"{named(path)}: {node.name}"


def awaited_by_others(node: ast.AsyncFunctionDef) -> bool:
    """The language, or aiohttp with a request, awaits it whether it waits for something or not."""
    annotations = [ast.unparse(one.annotation) for one in node.args.args if one.annotation]
    return node.name in ("__aenter__", "__aexit__", "__anext__") or "web.Request" in annotations


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_stages_iterate_no_sets_and_use_no_fastmath(path: Path) -> None:
    """Iterating a set, a frozenset or a set display depends on hash seeds."""
    assert set_loops(path.read_text()) == []
    assert "fastmath=True" not in path.read_text()


def set_loops(text: str) -> list[int]:
    found = []
    for node in ast.walk(ast.parse(text)):
        iterables = [node.iter] if isinstance(node, ast.For | ast.comprehension) else []
        for each in iterables:
            call = (
                isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in ("set", "frozenset")
            )
            if isinstance(each, ast.Set | ast.SetComp) or call:
                found.append(each.lineno)
    return found


def test_a_loop_over_a_set_is_noticed() -> None:
    assert set_loops("for x in {1, 2}: pass") == [1]
    assert set_loops("y = [x for x in set(z)]") == [1]


def tracked_text() -> Iterator[tuple[str, str]]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split("\n")  # fmt: skip
    for name in names:
        path = ROOT / name
        if name and path.is_file() and path.stat().st_size < 2_000_000:
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_registry_host_or_index_address_is_named() -> None:
    hosts = re.compile(r"pypi\.org|pythonhosted|registry\.npm|index-url|deb\.debian")
    allowed = ("Makefile", "tests/test_architecture.py")

    assert [name for name, text in tracked_text() if hosts.search(text) and name not in allowed] == []


def test_every_locked_requirement_has_hashes() -> None:
    for path in sorted((ROOT / "configs/lock").glob("*.txt")):
        entries = re.split(r"\n(?=\S)", path.read_text().strip())
        pins = [entry for entry in entries if not entry.startswith("#")]

        assert pins
        assert all("==" in entry and "--hash=sha256:" in entry for entry in pins)


def test_top_level_holds_only_what_belongs_there() -> None:
    names = {name.split("/")[0] for name, _ in tracked_text()}
    visible = {name for name in names if not name.startswith(".")}

    assert visible <= {
        "pyproject.toml", "engine", "adapters", "strategies", "configs", "tests", "README.md", "Makefile",
        "CHANGELOG.md", "LICENSE",
    }  # fmt: skip
