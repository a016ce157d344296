"""A kernel's cache is named by what the kernel stands on: nearer sources count, others do not."""

from pathlib import Path

import pytest

from engine.closure import closure_hash


@pytest.fixture
def root(tmp_path: Path) -> Path:
    sources = {
        "__init__.py": "",
        "scan.py": "from engine.wyckoff import gates\nimport numpy\n",
        "wyckoff/__init__.py": "",
        "wyckoff/gates.py": "def gate():\n    from .limits import LIMIT\n    return LIMIT\n",
        "wyckoff/limits.py": "LIMIT = 1\n",
        "tape.py": "ROWS = 1\n",
    }
    for name, text in sources.items():
        path = tmp_path / "engine" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["scan.py", "wyckoff/gates.py", "wyckoff/limits.py", "wyckoff/__init__.py", "__init__.py"]
)
def test_a_change_in_anything_it_reaches_changes_the_hash(root: Path, name: str) -> None:
    source = (root / "engine" / name).read_text()
    copy = root / "copy"
    for path in root.rglob("*.py"):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    before = closure_hash("engine.scan", root)

    (copy / "engine" / name).write_text(source + "\n# changed\n")

    assert closure_hash("engine.scan", copy) != before


def test_a_change_elsewhere_does_not(root: Path) -> None:
    before = closure_hash("engine.scan", root)

    (root / "engine" / "tape.py").write_text("ROWS = 2\n")

    assert closure_hash("engine.scan", root) == before
