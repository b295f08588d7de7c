"""Starts Python modules by a fork of a process that has imported everything: ``quick_server.py SOCKET``.

A federate works for less than it takes to import what it needs, and the tests start hundreds. What is forked
is a process like any other, but for its start: `quick_client.py` stands for it where it was started, hands
on signals to it and ends as it ends. When the client is gone, so is the process.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAVY = (
    "helics.cli",
    "scipy.interpolate",
    "toys",
    "dlmp_cosim.federates.host",
    "dlmp_cosim.federates.runtime.local",
    "dlmp_cosim.federates.substation",
    "dlmp_cosim.federates.results.store",
    "dlmp_cosim.feeders.opendss.feeder",
    "dlmp_cosim.market.nodal.market",
    "dlmp_cosim.runners.run.commands",
)
"""What most federates, or the broker, import sooner or later."""
NAMESPACES = ("net", "mnt")
"""Those that tests of several hosts make."""
LONGEST = 1 << 16
"""Of a request: words, folder and environment [bytes]."""


@dataclass(frozen=True)
class Request:
    """A module to run as if by ``python -u -m``.

    Attributes
    ----------
    words : list of str
        Module and its command line.
    folder : str
        Where it runs.
    environment : dict of str to str
        Its environment.
    executable : str
        What it takes for Python, to start others by.
    streams : tuple of int
        File descriptors of its input, output and errors.
    client : int
        Process that asked.
    """

    words: list[str]
    folder: str
    environment: dict[str, str]
    executable: str
    streams: tuple[int, ...]
    client: int


def receive(client: socket.socket) -> Request:
    """Read a request, and the streams that come with it; ConnectionError when the client goes before."""
    message, streams, _, _ = socket.recv_fds(client, LONGEST, 3)
    size, _, text = message.partition(b"\n")
    while len(text) < int(size or 1):
        more = client.recv(LONGEST)
        if not more:
            for stream in streams:
                os.close(stream)
            raise ConnectionError("the client is gone")
        text += more
    peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Request(**json.loads(text), streams=tuple(streams), client=struct.unpack("3i", peer)[0])


def become(request: Request) -> None:
    """Turn this process, just forked, into what was asked for, and run it to its end."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for space in NAMESPACES:
        join(Path(f"/proc/{request.client}/ns/{space}"), Path(f"/proc/self/ns/{space}"))
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    own = [path for path in request.environment.get("PYTHONPATH", "").split(":") if path]
    sys.path[:] = [request.folder, *own, *(path for path in sys.path if path not in own)]
    sys.argv[:], sys.executable = request.words, request.executable
    sys.modules.pop(request.words[0], None)
    runpy.run_module(request.words[0], run_name="__main__", alter_sys=True)


def join(there: Path, here: Path) -> None:
    """Go to the namespace in which the client is, if it is another."""
    if there.readlink() != here.readlink():
        with there.open() as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"{there} cannot be joined")


class Server:
    """Forks processes for clients, tells each how its process ended, and ends those whose client is gone."""

    def __init__(self, path: str) -> None:
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(path)
        self._door.listen(64)
        self._watch = selectors.DefaultSelector()
        self._watch.register(self._door, selectors.EVENT_READ, self._fork)
        # The tests hold the other end of the input: when they are gone, so is everything here.
        self._watch.register(sys.stdin, selectors.EVENT_READ, self._leave)
        ended, wake = socket.socketpair()
        ended.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._watch.register(ended, selectors.EVENT_READ, self._reap)
        self._wake = wake
        self._clients: dict[int, socket.socket] = {}

    def serve(self) -> Request | None:
        """Return in every process that was forked, with what it is to do; here, None when the tests end."""
        sys.stdout.write("open\n")
        while True:
            for key, _ in self._watch.select():
                request = key.data(key.fileobj)
                if request is not False:
                    return request

    def _fork(self, door: socket.socket) -> Request | Any:
        client, _ = door.accept()
        try:
            request = receive(client)
        except ConnectionError:
            client.close()
            return False
        pid = os.fork()
        if pid == 0:
            self._watch.close()
            for other in (client, self._door, self._wake, *self._clients.values()):
                other.close()
            return request
        for stream in request.streams:
            os.close(stream)
        self._clients[pid] = client
        self._watch.register(client, selectors.EVENT_READ, self._hand_on)
        return False

    def _hand_on(self, client: socket.socket) -> Any:
        """Send signals on to a client's process; kill it, stopped or not, when the client is gone."""
        pid = next((pid for pid, other in self._clients.items() if other is client), None)
        if pid is None:
            # Its process ended a moment ago, and is known to have.
            return False
        try:
            numbers = client.recv(64)
        except ConnectionError:
            numbers = b""
        for number in numbers or [signal.SIGKILL]:
            os.kill(pid, number)
        if not numbers:
            self._watch.unregister(client)
        return False

    def _reap(self, ended: socket.socket) -> Any:
        with suppress(BlockingIOError):
            ended.recv(4096)
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                client = self._clients.pop(pid)
                with suppress(KeyError):
                    self._watch.unregister(client)
                with suppress(OSError):
                    client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
                client.close()
        return False

    def _leave(self, _: Any) -> None:
        for pid in self._clients:
            os.kill(pid, signal.SIGKILL)


def main(path: str) -> None:
    for name in HEAVY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    request = Server(path).serve()
    if request is None:
        return
    try:
        become(request)
        code = 0
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        code = ended.code or 0
    leave(code)


def leave(code: int) -> None:
    """End as Python does, but for taking down all that was imported: that takes longer than a start."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(str(Path(sys.argv[1])))
