"""Exit codes: what a script may rely on, and the one place where errors become them.

 0 done                          65 a feed holds no usable market data
 1 unexpected exception          73 an output cannot be written
 2 usage                         74 a tape or store failed while writing or reading
 4 not found                     78 configuration invalid
 6 refused by a safety gate     130 interrupted
10 a check found something
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

OK = 0
USAGE = 2
NOT_FOUND = 4
REFUSED = 6
FOUND = 10
BAD_DATA = 65
CANNOT_CREATE = 73
IO_FAILED = 74
BAD_CONFIG = 78
INTERRUPTED = 130


class ExitError(Exception):
    """A command cannot go on: the message for the user and the exit code."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


@contextmanager
def exits() -> Iterator[None]:
    """Turn an ExitError into its message on stderr and its code; Ctrl-C into 130."""
    try:
        yield
    except ExitError as error:
        print(f"wyckoff: {error}", file=sys.stderr)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        print("wyckoff: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
