"""Exit codes: what a script may rely on, and the one place where errors become them.

 0 done                          65 a feed holds no usable market data
 1 unexpected exception          73 an output cannot be written
 2 usage                         74 a tape or store failed while writing or reading
 3 not running                   75 a feed or venue cannot be reached at start: try again
 4 not found                     77 a venue refuses the credentials
 5 not finished in time          78 configuration invalid
 6 refused by a safety gate     130 interrupted
10 a check found something
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

OK = 0
USAGE = 2
NOT_RUNNING = 3
NOT_FOUND = 4
TIMED_OUT = 5
REFUSED = 6
FOUND = 10
BAD_DATA = 65
CANNOT_CREATE = 73
IO_FAILED = 74
TEMPORARY = 75
NO_PERMISSION = 77
BAD_CONFIG = 78
INTERRUPTED = 130


class ExitError(Exception):
    """A command cannot go on: the message for the user and the exit code."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


def emit(text: str) -> None:
    """Put a result on stdout. A reader that has left (`| head`) has what it wanted: exit 0."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        raise SystemExit(OK) from None
    except OSError as error:
        _forget_stdout()
        raise ExitError(CANNOT_CREATE, f"standard output: cannot be written: {error.strerror}") from None


@contextmanager
def exits() -> Iterator[None]:
    """Turn an ExitError into its message on stderr and its code; Ctrl-C into 130."""
    try:
        yield
    except ExitError as error:
        print(f"wyckoff: {error}", file=sys.stderr)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        _tell_interrupted()
    except RuntimeError as error:
        # A compiler that is interrupted ends in an error of its own.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        _tell_interrupted()


def _tell_interrupted() -> NoReturn:
    print("wyckoff: interrupted", file=sys.stderr)
    raise SystemExit(INTERRUPTED) from None


def _forget_stdout() -> None:
    """What is still buffered goes nowhere, or the interpreter would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
