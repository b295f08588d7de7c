"""Hosts that are network namespaces on one bridge, with names where a test gives them some."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

TAG = f"{os.getpid() % 10_000}"
NAMES = Path("/etc/netns")
"""Where `ip netns exec` looks for a namespace's own files."""


@dataclass(frozen=True)
class Hosts:
    """Namespaces on one bridge, numbered from 1."""

    addresses: tuple[str, ...]

    def prefix(self, k: int) -> list[str]:
        """Words that run a command on a host."""
        return ["ip", "netns", "exec", namespace(k)]

    def cut(self, k: int) -> None:
        """Pull a host's cable."""
        ip(f"link set dlv{TAG}{k} down")


def namespace(k: int) -> str:
    return f"dlmp{TAG}h{k}"


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True)


@contextmanager
def connected(count: int, names: Sequence[str] = ()) -> Iterator[Hosts]:
    """Make so many hosts, which know each other by names too; skip the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    bridge, net = f"dlb{TAG}", f"10.{77 + os.getpid() % 100}.0"
    numbers = range(1, count + 1)
    try:
        ip(f"netns add {namespace(1)}")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr}")
    try:
        ip(f"link add {bridge} type bridge")
        ip(f"link set {bridge} up")
        for k in numbers:
            if k > 1:
                ip(f"netns add {namespace(k)}")
            ip(f"link add dlv{TAG}{k} type veth peer name eth0 netns {namespace(k)}")
            ip(f"link set dlv{TAG}{k} master {bridge}")
            ip(f"link set dlv{TAG}{k} up")
            ip(f"-n {namespace(k)} addr add {net}.{k}/24 dev eth0")
            ip(f"-n {namespace(k)} link set eth0 up")
            ip(f"-n {namespace(k)} link set lo up")
            if names:
                lines = (f"{net}.{n} {name}\n" for n, name in zip(numbers, names, strict=True))
                (NAMES / namespace(k)).mkdir(parents=True)
                (NAMES / namespace(k) / "hosts").write_text("".join(lines))
        yield Hosts(tuple(f"{net}.{k}" for k in numbers))
    finally:
        for k in numbers:
            # The kernel takes a namespace down in its own time, and the cable into it only then.
            subprocess.run(["ip", "link", "del", f"dlv{TAG}{k}"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", namespace(k)], check=False, capture_output=True)
            shutil.rmtree(NAMES / namespace(k), ignore_errors=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)
