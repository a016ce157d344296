"""The command line with the probing strategy at hand, on a host that can be made to fail.

`python -m tests.faults.child trade --home DIRECTORY ...`. While a file `slow-disk` is in that directory everything
that is made durable takes `SLOW_S`; while `no-names` is there no name of a host can be resolved.
"""

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp.resolver import DefaultResolver

from engine.cli import main
from engine.tape_file import TapeFile
from tests.faults.probing import register

SLOW_DISK, NO_NAMES = "slow-disk", "no-names"
SLOW_S = 3.0


def make_host(home: Path) -> None:
    """The host's disk and names are as the files in `home` will have them."""

    def slowed(act: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*parts: Any, **options: Any) -> Any:
            if (home / SLOW_DISK).exists():
                time.sleep(SLOW_S)
            return act(*parts, **options)

        return slow

    async def resolve(resolver: Any, *parts: Any, **options: Any) -> Any:
        if (home / NO_NAMES).exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return await known(resolver, *parts, **options)

    known = DefaultResolver.resolve
    DefaultResolver.resolve = resolve  # type: ignore[method-assign, assignment]
    os.fsync = slowed(os.fsync)
    TapeFile.write = slowed(TapeFile.write)  # type: ignore[method-assign]


if __name__ == "__main__":
    register()
    if "--home" in sys.argv:
        make_host(Path(sys.argv[sys.argv.index("--home") + 1]))
    main()
