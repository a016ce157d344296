"""Where things lie: --home or WYCKOFF_HOME, else systemd's directories, else ./wyckoff.toml, else XDG.

Each mode has its own state directory, so that a paper account's tape is never taken for a live
one's. Directories that hold state, secrets or the socket are made 0700.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

CONFIG_NAME: Final = "wyckoff.toml"
SOCKET_NAME: Final = "ctl.sock"
MOST_SOCKET_PATH_BYTES: Final = 107
"""What the kernel's sockaddr_un holds, less the closing zero."""

MODES: Final = ("replay", "paper", "live")
RECORD: Final = "record"

PLACES: Final = ("config", "state", "cache", "logs", "runtime")
"""Names of `Paths` fields that a configuration may use as `{name}`."""

XDG: Final = "XDG"

_PLACE = re.compile(rf"\{{({'|'.join(PLACES)})\}}")
_PLACED = re.compile(rf"(?:[^{{}}]|{_PLACE.pattern})*")


class PathError(ValueError):
    """A directory that cannot be used as it is."""


class Paths(msgspec.Struct, frozen=True):
    """The directories of one installation. `source` says by which rule they were chosen."""

    config: Path
    state: Path
    cache: Path
    logs: Path
    runtime: Path
    source: str

    @property
    def config_file(self) -> Path:
        return self.config / CONFIG_NAME

    @property
    def secrets(self) -> Path:
        return self.config / "secrets"

    @property
    def socket(self) -> Path:
        return self.runtime / SOCKET_NAME

    def state_of(self, mode: str) -> Path:
        """Tapes, snapshots, the lock and the kill file of one mode."""
        assert mode in MODES
        return self.state / mode

    @property
    def recording(self) -> "Paths":
        """Those of `record`: its tapes are of no account and lie apart, with a lock of their own."""
        return msgspec.structs.replace(self, state=self.state / RECORD)

    @property
    def holdable(self) -> dict[str, Path]:
        """Directories that an engine of this installation may hold, by what runs there."""
        return {mode: self.state_of(mode) for mode in MODES} | {RECORD: self.recording.state_of("paper")}

    def resolved(self, text: str, mode: str) -> Path:
        """`text` with `{config}`, `{state}`... in place; `{state}` is that of the mode.

        A relative path is one below the configuration's directory. Raises PathError.
        """
        places = {name: getattr(self, name) for name in PLACES} | {"state": self.state_of(mode)}
        if not _PLACED.fullmatch(text):
            raise PathError(f"must use no other places than {', '.join(f'{{{one}}}' for one in PLACES)}")
        filled = _PLACE.sub(lambda found: str(places[found[1]]), text)
        return self.config / Path(filled).expanduser()


SERVICE: Final = {
    "CONFIGURATION_DIRECTORY": "/etc/wyckoff",
    "STATE_DIRECTORY": "/var/lib/wyckoff",
    "CACHE_DIRECTORY": "/var/cache/wyckoff",
    "LOGS_DIRECTORY": "/var/log/wyckoff",
    "RUNTIME_DIRECTORY": "/run/wyckoff",
}
"""What systemd tells the shipped unit; an operator's shell is told nothing."""


def find_engine(home: Path | None, environ: Mapping[str, str], here: Path) -> Paths:
    """As `find_paths`, but where nothing names a place and no engine is there: the service of this machine."""
    found = find_paths(home, environ, here)
    service = _by_systemd(SERVICE)
    is_elsewhere = found.source == XDG and not found.socket.exists()
    return service if is_elsewhere and service.runtime.is_dir() else found


def find_paths(home: Path | None, environ: Mapping[str, str], here: Path) -> Paths:
    """By the first rule that applies. Nothing is created or read but the question whether `here`
    holds a configuration."""
    if home is not None:
        return _below(home.expanduser().absolute(), "--home")
    if environ.get("WYCKOFF_HOME"):
        return _below(Path(environ["WYCKOFF_HOME"]).expanduser().absolute(), "WYCKOFF_HOME")
    if environ.get("STATE_DIRECTORY") and environ.get("RUNTIME_DIRECTORY"):
        return _by_systemd(environ)
    if (here / CONFIG_NAME).is_file():
        return _below(here.absolute(), f"./{CONFIG_NAME}")
    return _by_xdg(environ)


def private_directory(path: Path) -> Path:
    """Made with mode 0700 where it is missing. Raises PathError where it is another's or open."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise PathError(f"{path}: cannot be made a directory: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise PathError(f"{path}: must be a directory")
    if found.st_uid != os.geteuid():
        raise PathError(f"{path}: must belong to the user that runs this, was uid {found.st_uid}")
    if found.st_mode & 0o022:
        raise PathError(f"{path}: must not be writable by others, was mode {stat.S_IMODE(found.st_mode):04o}")
    return path


def check_socket_path(path: Path) -> Path:
    """Raises PathError where the kernel cannot hold the name."""
    length = len(os.fsencode(path))
    if length > MOST_SOCKET_PATH_BYTES:
        raise PathError(
            f"{path}: a socket's path must have at most {MOST_SOCKET_PATH_BYTES} bytes, was {length}; "
            "use a shorter --home"
        )
    return path


def _below(home: Path, source: str) -> Paths:
    return Paths(
        config=home,
        state=home / "state",
        cache=home / "cache",
        logs=home / "logs",
        runtime=home / "run",
        source=source,
    )


def _by_systemd(environ: Mapping[str, str]) -> Paths:
    """systemd gives several directories as one list with colons; the first is ours."""
    state = _first(environ["STATE_DIRECTORY"])
    config = environ.get("CONFIGURATION_DIRECTORY")
    cache = environ.get("CACHE_DIRECTORY")
    logs = environ.get("LOGS_DIRECTORY")
    return Paths(
        config=_first(config) if config else state,
        state=state,
        cache=_first(cache) if cache else state / "cache",
        logs=_first(logs) if logs else state / "logs",
        runtime=_first(environ["RUNTIME_DIRECTORY"]),
        source="systemd",
    )


def _by_xdg(environ: Mapping[str, str]) -> Paths:
    home = Path(environ.get("HOME") or Path.home())

    def base(name: str, otherwise: str) -> Path:
        given = Path(environ.get(name, ""))
        return (given if given.is_absolute() else home / otherwise) / "wyckoff"

    state = base("XDG_STATE_HOME", ".local/state")
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    return Paths(
        config=base("XDG_CONFIG_HOME", ".config"),
        state=state,
        cache=base("XDG_CACHE_HOME", ".cache"),
        logs=state / "logs",
        runtime=runtime / "wyckoff" if runtime.is_absolute() else state / "run",
        source=XDG,
    )


def _first(directories: str) -> Path:
    return Path(directories.split(":")[0])
