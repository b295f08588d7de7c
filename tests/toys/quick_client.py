"""Stands for a process that `quick_server.py` forks: ``quick_client.py SOCKET STARTED PYTHON WORDS``.

It is started as ``STARTED WORDS`` instead of ``PYTHON WORDS``, hands signals on and ends as that process
ends. What is no ``-m MODULE`` is left to Python itself.
"""

import json
import os
import signal
import socket
import sys

_, PATH, STARTED, PYTHON, *WORDS = sys.argv


def main() -> None:
    words = WORDS[1:] if WORDS[:1] == ["-u"] else WORDS
    if words[:1] != ["-m"]:
        os.execv(PYTHON, [PYTHON, *WORDS])  # noqa: S606 - as it was asked for
    server = socket.socket(socket.AF_UNIX)
    server.connect(PATH)
    asked = {
        "words": words[1:],
        "folder": os.getcwd(),  # noqa: PTH109 - to import pathlib takes longer than all else here
        "environment": dict(os.environ),
        "executable": STARTED,
    }
    text = json.dumps(asked).encode()
    # Signals that come until all is told are handed on then.
    heeded = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
    for number in heeded:
        signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    message = b"%d\n%s" % (len(text), text)
    sent = socket.send_fds(server, [message], [0, 1, 2])
    server.sendall(message[sent:])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heeded)
    code = int(server.recv(16) or 1)
    if code < 0:
        if -code in heeded:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
