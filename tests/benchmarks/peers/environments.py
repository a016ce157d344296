"""An environment of its own for every peer, from a lock file with hashes; or why there is none.

`make lock-peers` pins again what `locks/*.in` name. No package index is named anywhere: pip's own settings
decide.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shutil import which

HERE = Path(__file__).parent
LOCKS = HERE / "locks"
BUILD = HERE.parents[2] / "build" / "peers"
PYENV = Path.home() / ".pyenv" / "versions"


class Unavailable(Exception):  # noqa: N818  a peer that cannot be run here is skipped with this reason
    """A peer cannot be installed here."""


@dataclass(frozen=True)
class Environment:
    """`name` is that of the lock file; `python` is the version it was made for, such as 3.13."""

    name: str
    python: str

    @property
    def executable(self) -> Path:
        return BUILD / self.name / "bin" / "python"

    @property
    def lock_file(self) -> Path:
        return LOCKS / f"{self.name}.txt"

    def install(self) -> None:
        """Raises Unavailable. Does nothing when what the lock file says is there."""
        stamp = BUILD / self.name / "installed"
        wanted = blake2b(self.lock_file.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"installing {self.name} into {self.executable.parents[1]}", file=sys.stderr)
        _run(interpreter(self.python), "-m", "venv", "--clear", str(BUILD / self.name))
        pip = (str(self.executable), "-m", "pip", "--quiet", "--disable-pip-version-check")
        _run(*pip, "install", "--require-hashes", "-r", str(self.lock_file))
        stamp.write_text(wanted)


def interpreter(version: str) -> str:
    """A Python of this version that starts: on the path, else one that pyenv keeps. Raises Unavailable."""
    kept = sorted(PYENV.glob(f"{version}.*/bin/python"))
    for candidate in (which(f"python{version}"), *map(str, reversed(kept))):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    raise Unavailable(f"needs Python {version}, which is not installed")


def lock(environment: Environment, flags: Sequence[str]) -> None:
    """Compiled by the version it is for: what is chosen depends on it. `flags` are pip-compile's."""
    tools = BUILD / f"pip-tools-{environment.python}"
    if not tools.exists():
        _run(interpreter(environment.python), "-m", "venv", str(tools))
        _run(str(tools / "bin" / "python"), "-m", "pip", "--quiet", "install", "pip-tools")
    source = LOCKS / f"{environment.name}.in"
    _run(str(tools / "bin" / "pip-compile"), *flags, "--output-file", str(environment.lock_file), str(source))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise Unavailable(f"{Path(command[0]).name} {' '.join(command[1:4])}: {last}")


def main() -> None:
    from tests.benchmarks.peers.peers import PEERS

    for one in {peer.environment.name: peer.environment for peer in PEERS if peer.environment}.values():
        if sys.argv[1:2] == ["lock"]:
            lock(one, sys.argv[2:])
        else:
            one.install()


if __name__ == "__main__":
    main()
