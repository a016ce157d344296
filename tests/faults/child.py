"""The command line with the probing strategy at hand: `python -m tests.faults.child trade --home DIRECTORY ...`."""

from engine.cli import main
from tests.faults.probing import register

if __name__ == "__main__":
    register()
    main()
