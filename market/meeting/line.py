"""The line between an agent and one neighbour: words arrive once, in order, whatever the network does.

Every packet says which meeting it belongs to and its place in it. Where the network loses packets, what is
not acknowledged is repeated, after a time that follows from the answers so far (RFC 6298, as TCP does it).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.market.agents.neighbours import Kind, Word
from dlmp_cosim.market.meeting.rules import TICK_S

HEADER = struct.Struct("<IHHIIB3x")
"""Meeting, sender, receiver, place of the word, words heard so far, kind."""
NOTHING = 0
"""Kind of a packet that acknowledges and says nothing."""
GAIN, SPREAD_GAIN, SPREADS = 1 / 8, 1 / 4, 4.0
"""How fast the mean and the spread of answer times are learnt, and spreads to wait beyond the mean."""
LEAST_WAIT_S = 1e-3
MOST_WAIT_S = 60.0
AHEAD = 64
"""Words ahead of the next that are kept; an honest neighbour is never so far ahead."""


@dataclass(frozen=True)
class Packet:
    """A packet as it arrives."""

    meeting: int
    sender: int
    receiver: int
    place: int
    heard: int
    kind: int
    raw: bytes

    @property
    def payload(self) -> bytes:
        """The numbers of its word."""
        return self.raw[HEADER.size :]


def read_packet(raw: bytes) -> Packet | None:
    """Take a packet apart; None when it is none."""
    if len(raw) < HEADER.size or (len(raw) - HEADER.size) % 8:
        return None
    meeting, sender, receiver, place, heard, kind = HEADER.unpack_from(raw)
    return Packet(meeting, sender, receiver, place, heard, kind, raw)


@dataclass
class _Sent:
    """A word that is not acknowledged yet."""

    raw: bytes
    at: float
    due: float
    wait: float
    repeated: bool = False


class Line:
    """One agent's end of a line, for one meeting.

    Parameters
    ----------
    meeting : int
        Number of the meeting.
    me, other : int
        The agent and its neighbour.
    repeats : bool
        Whether words are acknowledged, and repeated until they are.
    wait_s : float
        Time to the first repetition before anything is known of the network [s].
    """

    def __init__(self, meeting: int, me: int, other: int, *, repeats: bool, wait_s: float) -> None:
        self._ends = meeting, me, other
        self._repeats, self._wait = repeats, wait_s
        self._mean, self._spread = math.nan, 0.0
        self._said, self._heard = 0, 0
        self._open: dict[int, _Sent] = {}
        self._early: dict[int, Word] = {}
        self.owes = False
        self.repetitions, self.ignored = 0, 0

    @property
    def next_due(self) -> float:
        """When something is to be repeated next [s]; infinite when nothing is."""
        return min((sent.due for sent in self._open.values()), default=math.inf)

    def say(self, word: Word, now: float) -> bytes:
        """Write a word as a packet.

        Parameters
        ----------
        word : Word
            What to say.
        now : float
            Time of the network [s].
        """
        raw = self._packet(self._said, int(word.kind), word.values.tobytes())
        if self._repeats:
            self._open[self._said] = _Sent(raw, now, now + self._wait, self._wait)
        self._said += 1
        self.owes = False
        return raw

    def acknowledge(self) -> bytes:
        """Write a packet that says what was heard."""
        self.owes = False
        return self._packet(self._said, NOTHING, b"")

    def hear(self, packet: Packet, now: float) -> list[Word]:
        """Take a packet in: the words that are now complete and in order; others' repetitions are none.

        Parameters
        ----------
        packet : Packet
            What arrived from the neighbour.
        now : float
            Time of the network at which it arrived [s].
        """
        for place in [place for place in self._open if place < packet.heard]:
            self._learn(self._open.pop(place), now)
        if packet.kind == NOTHING:
            return []
        self.owes = self._repeats
        fresh = self._heard <= packet.place < self._heard + AHEAD and packet.place not in self._early
        if not fresh or packet.kind not in Kind._value2member_map_:
            self.ignored += 1
            return []
        values = np.frombuffer(packet.payload, dtype=np.float64)
        self._early[packet.place] = Word(Kind(packet.kind), values)
        words = []
        while self._heard in self._early:
            words.append(self._early.pop(self._heard))
            self._heard += 1
        return words

    def due(self, now: float) -> list[bytes]:
        """Packets that are to be repeated by now."""
        raws = []
        for sent in self._open.values():
            if sent.due <= now + TICK_S / 2:
                sent.wait = min(2 * sent.wait, MOST_WAIT_S)
                sent.due, sent.repeated = now + sent.wait, True
                raws.append(sent.raw)
        self.repetitions += len(raws)
        return raws

    def _packet(self, place: int, kind: int, payload: bytes) -> bytes:
        meeting, me, other = self._ends
        return HEADER.pack(meeting, me, other, place, self._heard, kind) + payload

    def _learn(self, sent: _Sent, now: float) -> None:
        """Learn from the time to an answer; of what was repeated nobody knows which one it answers."""
        if sent.repeated:
            return
        took = now - sent.at
        if math.isnan(self._mean):
            self._mean, self._spread = took, took / 2
        else:
            self._spread += SPREAD_GAIN * (abs(took - self._mean) - self._spread)
            self._mean += GAIN * (took - self._mean)
        self._wait = min(max(self._mean + SPREADS * self._spread, LEAST_WAIT_S), MOST_WAIT_S)


def tick_at(seconds: float, grain: int = 1) -> float:
    """Return the first tick, a multiple of so many, at which a time [s] has come; infinite for never.

    Parameters
    ----------
    seconds : float
        Time of the network [s].
    grain : int
        Ticks from one step of the network to the next.
    """
    return seconds if math.isinf(seconds) else grain * math.ceil(seconds / TICK_S / grain - 1e-6)
