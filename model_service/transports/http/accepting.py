"""`Acceptor`: the listening sockets that a worker accepts from: its own, and those of workers that are missing.

Each worker has a socket of its own on the same port (SO_REUSEPORT), and the kernel spreads connections over them
evenly. But it also gives connections to the socket of a worker that has just died, or still loads its models. So
every worker holds all sockets, and accepts from another's as long as that one does not say that it is there: by
a file in the folder that they share, which the parent removes when the worker has ended.
"""

import asyncio
import contextlib
import select
import socket
from collections.abc import Awaitable, Callable
from itertools import chain
from pathlib import Path

from model_service.home import name_presence
from model_service.last_call import let_in, turn_away

#: The loop accepts one connection for each listener when it looks at its sockets. A loop that is busy looks every
#: few milliseconds; callers that open a connection for each request would fill the backlog, and then wait for
#: seconds until the kernel tries again. So each socket is listened on by so many listeners.
_ACCEPTED_AT_ONCE = 8


class Acceptor:
    """Accepts for one worker. For the loop's thread.

    Args:
        sockets: The listening sockets of all workers, or the one that all share.
        number: This worker's own.
        home: The folder that the workers share.
        serve: Begins to accept from a socket.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        number: int,
        home: Path,
        serve: Callable[[socket.socket], Awaitable[asyncio.Server]],
    ) -> None:
        self.servers: dict[int, list[asyncio.Server]] = {}
        self._sockets = sockets
        self._own = number if number < len(sockets) else 0
        self._presence = name_presence(home, number)
        self._others = {i: name_presence(home, i) for i in range(len(sockets)) if i != self._own}
        self._serve = serve
        self._changing: asyncio.Task[None] | None = None
        self._is_aside = False

    async def start(self) -> None:
        """Accept from the own socket, and say so."""
        await self._take(self._own)
        self._presence.touch()

    def look(self) -> None:
        """Stand in for those who are missing, and step back for those who have come; for every tick of the loop."""
        if not self._is_aside and (self._changing is None or self._changing.done()):
            missing = {number for number, presence in self._others.items() if not presence.exists()}
            if missing != self.servers.keys() - {self._own}:
                self._changing = asyncio.get_running_loop().create_task(self._change(missing))

    async def step_aside(self) -> None:
        """Leave the sockets to the workers of another generation: what waits in them is theirs."""
        self._is_aside = True
        if self._changing is not None:
            await asyncio.wait([self._changing])
        self.close()

    def call_last(self) -> None:
        """Let nobody queue any more; who has queued is still accepted."""
        for number in self.servers:
            if self._sockets[number].family != socket.AF_UNIX:  # all workers share the one of a path
                with contextlib.suppress(OSError):
                    turn_away(self._sockets[number])

    def has_queue(self) -> bool:
        """Whether somebody waits to be accepted."""
        poll = select.poll()
        for number in self.servers:
            poll.register(self._sockets[number], select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Accept no more."""
        if self._changing is not None:
            self._changing.cancel()
        for server in chain.from_iterable(self.servers.values()):
            server.close()

    async def _change(self, missing: set[int]) -> None:
        for number in self.servers.keys() - {self._own} - missing:
            for server in self.servers.pop(number):
                server.close()
        for number in missing - self.servers.keys():
            await self._take(number)

    async def _take(self, number: int) -> None:
        let_in(self._sockets[number])  # a worker before this one may have ended in good order
        # Copies: closing a server closes its socket, and this one may be needed again.
        self.servers[number] = [await self._serve(self._sockets[number].dup()) for _ in range(_ACCEPTED_AT_ONCE)]
