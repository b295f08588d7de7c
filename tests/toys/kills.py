"""Kill the writer of a results file at random moments, many times over, and read what it left.

``python kills.py KILLS SEED FOLDER`` writes files of the shape of a day on the 123-node feeder, one after the
other, and tells as JSON how every reading ended.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.contract.topics import Topic, offer_topic, present
from dlmp_cosim.federates.recorder import AUDIT_TOPICS
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.results.store import create_results
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.link import Value
from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.readers.network_json import network_to_json

CLOCK = Clock(start_utc=1_598_328_000, period_s=300, intervals=288)
TEXT_SIZES = {"assets/offer": 18_000, "market/clearing": 1_400, "audit/verdict": 250, "feeder/status": 100,
              "market/horizon": 17_800}  # fmt: skip
"""As measured on the demo day; of a horizon, on that with batteries [bytes]."""
LONG_EVERY, LONG_SIZE = 40, 50_000
"""Every so many intervals the offers do not fit into a row."""
READ_S = 60
"""Reading takes a tenth of a second, on a busy machine ten; what takes so long hangs."""
TOLD_EVERY = 100
INTERVAL_S, SPREAD_S = 1e-3, 0.5
"""An interval is written, and a file laid out, written and its packing begun, within about these times."""


def recorded() -> list[Topic]:
    """Topics of the demo day."""
    known = present(("horizon",))
    varying = [topic for topic in known if topic.key not in ("feeder/network", "wholesale/source")]
    return [*varying, *AUDIT_TOPICS, offer_topic("assets")]


def interval(k: int, topics: list[Topic], network: Network) -> dict[str, Value]:
    """Values of an interval, which follow from its number."""

    def value(topic: Topic) -> Value:
        if topic.type == "string":
            long = topic.key == "assets/offer" and k % LONG_EVERY == LONG_EVERY - 1
            size = LONG_SIZE if long else TEXT_SIZES[topic.key]
            return json.dumps({"interval": k, "text": chr(97 + k % 26) * size})
        if topic.type == "double":
            return float(k)
        return k + np.linspace(0.0, 1.0, len(topic.id_list(network)))

    return {topic.key: value(topic) for topic in topics}


def write(
    path: Path,
    network: Network,
    constant: dict[str, str],
    topics: list[Topic],
    rows: list[dict[str, Value]],
    told: int,
) -> None:
    """Write a whole run, telling of every interval, and pack it."""
    writer = create_results(path, network, CLOCK, topics, constant=constant, manifest='{"scenario": {}}')
    for row in rows:
        writer.append(row)
        os.write(told, b".")
    writer.close()


def read(path: Path, topics: list[Topic], rows: list[dict[str, Value]]) -> int:
    """Return how many intervals a file holds, having compared every value of them."""
    if not path.exists() or path.stat().st_size == 0:
        return -1
    with Results(path) as results:
        for topic in topics:
            wanted = [row[topic.key] for row in rows[: results.intervals]]
            if topic.type == "string":
                assert list(results.texts(topic.key)) == wanted, topic.key
            else:
                found = results.values(topic.key)
                assert np.array_equal(found, np.array(wanted).reshape(found.shape)), topic.key
        return results.intervals


def in_child(act: Callable[[], object]) -> int:
    """Act in a process of its own."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    finally:
        os._exit(code)


def kill_once(
    path: Path, intervals: int, delay_s: float, act: Callable[[int], object], check: Callable[[], object]
) -> str:
    """Kill one writer a while after so many intervals; say how reading its file ended."""
    hear, tell = os.pipe()
    writer = in_child(lambda: act(tell))
    for _ in range(intervals):
        os.read(hear, 1)
    time.sleep(delay_s)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    os.close(hear)
    os.close(tell)

    def timed() -> None:
        faulthandler.dump_traceback_later(READ_S - 1)
        signal.alarm(READ_S)
        path.with_suffix(".count").write_text(str(check()))

    status = os.waitpid(in_child(timed), 0)[1]
    if os.WIFSIGNALED(status):
        return "hangs" if os.WTERMSIG(status) == signal.SIGALRM else "crashes"
    if status:
        return "cannot be read"
    count = int(path.with_suffix(".count").read_text())
    if count < 0:
        return "no file yet"
    return "complete" if count == CLOCK.intervals else "begun" if count == 0 else "cut short"


def main(kills: int, seed: int, folder: Path) -> None:
    """Kill, read, count."""
    chance = np.random.default_rng(seed)
    network = read_circuit(ieee123.case()).network
    topics = recorded()
    rows = [interval(k, topics, network) for k in range(CLOCK.intervals)]
    constant = {"network": network_to_json(network), "source": "{}"}
    path = folder / "results.h5"
    act, check = partial(write, path, network, constant, topics, rows), partial(read, path, topics, rows)
    ends: Counter[str] = Counter()
    for k in range(kills):
        path.unlink(missing_ok=True)
        # Three of four kills fall within an interval, however slow the machine.
        within = k % 4 > 0
        intervals = int(chance.integers(CLOCK.intervals)) if within else 0
        delay_s = chance.random() * (INTERVAL_S if within else SPREAD_S)
        ends[kill_once(path, intervals, delay_s, act, check)] += 1
        if k % TOLD_EVERY == TOLD_EVERY - 1:
            sys.stderr.write(f"{k + 1}: {json.dumps(ends)}\n")
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
