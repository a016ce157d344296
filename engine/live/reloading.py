"""A reload of the configuration in a running engine, as two facts on its tape: who asked, and what came of it.

Everything that can refuse is asked before anything changes, so a mistake anywhere leaves all as it is. What
takes effect does so right behind its fact.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence

import anyio

from engine import exits
from engine.config import Changes, ConfigError, Settled, compare, problem_table
from engine.config.reload import LIVE_SECRETS, changed_secrets, with_live
from engine.control.target import OperatorCommand, Outcome
from engine.exits import ExitError
from engine.live.session import LiveSession
from engine.messages import ConfigChange

Prepare = Callable[[Settled], Callable[[], None]]
"""Makes ready what these settings need, and gives back what switches over to it. Raises ConfigError, having
changed nothing; the switch itself cannot fail."""

ADOPTS = "what decides is among these: restart with `wyckoff trade --adopt`"


class Reloading:
    """`running` is what holds now, `read` settles the configuration again; it raises ExitError. One of the parts
    makes what holds from then on the running one."""

    def __init__(
        self,
        session: LiveSession,
        running: Callable[[], Settled],
        read: Callable[[], Settled],
        parts: Sequence[Prepare],
    ) -> None:
        self._running = running
        self._session = session
        self._read = read
        self._parts = parts
        self._turn = anyio.Lock()

    async def obey(self, command: OperatorCommand) -> Outcome:
        """Raises IngressClosedError where the session has ended."""
        async with self._turn:
            sequence = await self._session.command(command.name, "", command.operator, command.reason)
            try:
                fresh = await anyio.to_thread.run_sync(self._read)
                held = Settled(with_live(self._running().config, fresh.config), fresh.layers, fresh.secrets)
                switches = [part(held) for part in self._parts]
            except ExitError as error:
                return Outcome(error.code, f"nothing changed: {error}", sequence)
            except ConfigError as error:
                return Outcome(exits.BAD_CONFIG, f"nothing changed\n{problem_table(error.problems)}", sequence)
            except Exception as error:  # noqa: BLE001 - modules of strategies may raise anything: a file ends no engine
                return Outcome(exits.BAD_CONFIG, f"nothing changed: {_unforeseen(error)}", sequence)
            return await self._changed(fresh, held, switches, sequence)

    async def _changed(
        self, fresh: Settled, held: Settled, switches: Sequence[Callable[[], None]], sequence: int
    ) -> Outcome:
        changes = compare(self._running().config, fresh.config)
        secrets = changed_secrets(self._running().secrets, fresh.secrets)
        live = (*changes.live_keys, *(name for name in secrets if name in LIVE_SECRETS))
        restart = (*changes.restart_keys, *(name for name in secrets if name not in LIVE_SECRETS))
        if live or restart:
            now_ns = self._session.parts.clock.now_ns()
            await self._session.tell(ConfigChange(now_ns, held.config.hash, live, restart=restart))
        for switch in switches:
            switch()
        lines = [*told(changes, secrets)] or ["nothing has changed"]
        if fresh.config.hash != held.config.hash:
            lines.append(ADOPTS)
        return Outcome(exits.OK, "\n".join(lines), sequence)


def _unforeseen(error: Exception) -> str:
    """What it was and where. Its own words may hold a value, and a value may be a secret."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {where.filename}, line {where.lineno}"


def told(changes: Changes, secrets: Sequence[str]) -> Iterator[str]:
    """A line a key, for people. Of a secret its name alone."""
    for change in changes.live:
        yield f"{change.key} is now {change.after}, was {change.before}"
    for name in secrets:
        yield f"{name} is now another one" if name in LIVE_SECRETS else f"{name} needs a restart"
    for change in changes.restart:
        yield f"{change.key} needs a restart: it stays {change.before} instead of {change.after}"
