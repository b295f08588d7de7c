"""What markets and the substation that their feeders share say to each other (JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dlmp_cosim.federates.contract.limits import is_sound
from dlmp_cosim.federates.contract.messages import decode, encode
from dlmp_cosim.federates.contract.quotes import quote_row, read_quote
from dlmp_cosim.federates.runtime.link import refusal
from dlmp_cosim.market.ancillary.quotes import Quote

CALL, RESPONSE = "substation/call", "market/response"


@dataclass(frozen=True)
class Turn:
    """Where in an interval a message belongs: which interval, round of all feeders, and exchange in it."""

    interval: int
    window: int
    exchange: int


Held = Mapping[str, tuple[float, float]]
"""Room to keep free above and below the energy of resources, by name [kW]."""


@dataclass(frozen=True)
class Terms:
    """What a market clears at: the adder [$/MWh], and the room that it keeps free."""

    adder: float = 0.0
    held: Held = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """What the substation says to a market in an exchange.

    Attributes
    ----------
    turn : Turn
        Which exchange.
    adder : float
        Adder that holds [$/MWh].
    adders : tuple of float
        Adders that it wants to hear of [$/MWh]; empty when the exchanges of this round are over.
    final : bool
        Whether every market is to make final what it has.
    quotes : bool
        Whether it wants to hear a quote with `held` held back.
    held : mapping of str to (float, float)
        Room that resources of the feeder keep free for the ancillary market [kW].
    called : mapping of str to float
        What is called of them once all is final, positive towards the grid [kW].
    """

    turn: Turn
    adder: float
    adders: tuple[float, ...] = ()
    final: bool = False
    quotes: bool = False
    held: Held = field(default_factory=dict)
    called: Mapping[str, float] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the exchanges of this round are over."""
        return not self.adders and not self.quotes

    @property
    def terms(self) -> Terms:
        """What the market is to clear at."""
        return Terms(self.adder, self.held)


def call_text(
    call: Call,
    held: Mapping[str, Held] | None = None,
    called: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Write a call to all markets as JSON.

    Parameters
    ----------
    call : Call
        What is said to all.
    held, called : mapping, optional
        What is said to each feeder, by its name.
    """
    row: dict[str, Any] = {
        **asdict(call.turn), "adder": call.adder, "adders": list(call.adders), "final": call.final
    }  # fmt: skip
    if call.quotes:
        row["quotes"] = True
    more = {"held": held, "called": called}
    return encode(row | {name: value for name, value in more.items() if value})


@dataclass(frozen=True)
class Response:
    """What a market answers.

    Attributes
    ----------
    turn : Turn
        Which exchange.
    agreed : bool
        Whether its clearing and its feeder agree at the adder that holds.
    adder : float
        That adder [$/MWh].
    head_kw, head_kvar : float
        Power that its feeder draws at it [kW, kvar].
    heads : mapping of float to float
        Power at each adder that was asked for [kW].
    curve : tuple of (float, float)
        Adders, and power expected there from the sensitivities of the clearing [$/MWh, kW].
    flexibility : mapping of str to float
        What its resources can still do: `market.substation.curve.Flexibility`.
    quote : Quote, optional
        What the clearing costs and where its sellers of capacity stand, where there is an ancillary market.
    """

    turn: Turn
    agreed: bool
    adder: float
    head_kw: float
    head_kvar: float
    heads: tuple[tuple[float, float], ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    flexibility: Mapping[str, float] | None = None
    quote: Quote | None = None

    def text(self) -> str:
        """Write it as JSON."""
        row = {k: v for k, v in asdict(self).items() if k not in ("turn", "quote")}
        if self.quote is not None:
            row["quote"] = quote_row(self.quote)
        return encode(asdict(self.turn) | row)


def read_call(text: str, turn: Turn, feeder: str = "") -> Call:
    """Read what a call of the substation says to one feeder.

    Parameters
    ----------
    text : str
        The call.
    turn : Turn
        The exchange that it has to be for.
    feeder : str
        Name of the feeder.

    Raises
    ------
    FederationError
        When it is for another exchange or lacks something.
    """
    table = decode(CALL, text)
    _check_turn(CALL, table, turn)
    adder, adders, final = table.get("adder"), table.get("adders"), table.get("final")
    if not (_numbers([adder]) and _numbers(adders) and isinstance(final, bool)):
        raise refusal(CALL, "lacks adder, adders or final")
    own = {name: _own(name, table.get(name) or {}, feeder) for name in ("held", "called")}
    if not (_pairs(list(own["held"].values())) and _numbers(list(own["called"].values()))):
        raise refusal(CALL, "holds or calls what are no numbers")
    held = {name: (float(up), float(down)) for name, (up, down) in own["held"].items()}
    called = {name: float(kw) for name, kw in own["called"].items()}
    asked = tuple(map(float, adders))  # type: ignore[arg-type]
    return Call(turn, float(adder), asked, final, table.get("quotes") is True, held, called)  # type: ignore[arg-type]


def read_response(key: str, text: str, turn: Turn) -> Response:
    """Read a market's answer; FederationError when it is for another exchange or lacks something.

    Parameters
    ----------
    key : str
        Topic that it was published on, for messages.
    text : str
        What that holds (JSON).
    turn : Turn
        The exchange that it has to be for.
    """
    table = decode(key, text)
    _check_turn(key, table, turn)
    numbers = [table.get(name) for name in ("adder", "head_kw", "head_kvar")]
    pairs = {name: table.get(name) for name in ("heads", "curve")}
    if not (_numbers(numbers) and isinstance(table.get("agreed"), bool) and all(map(_pairs, pairs.values()))):
        raise refusal(key, "lacks agreed, adder, head_kw, head_kvar, heads or curve")
    adder, kw, kvar = (float(number) for number in numbers)  # type: ignore[arg-type]
    heads, curve = (tuple((float(a), float(b)) for a, b in found or ()) for found in pairs.values())
    quote = read_quote(key, table["quote"]) if table.get("quote") is not None else None
    return Response(turn, table["agreed"], adder, kw, kvar, heads, curve, table.get("flexibility"), quote)


def _check_turn(key: str, table: Mapping[str, Any], turn: Turn) -> None:
    found = tuple(table.get(name) for name in ("interval", "window", "exchange"))
    wanted = (turn.interval, turn.window, turn.exchange)
    if found != wanted:
        raise refusal(key, f"is for interval, round and exchange {found}; expected {wanted}")


def _own(name: str, rows: Any, feeder: str) -> dict[str, Any]:
    """Take what a call says of one feeder's resources."""
    mine = rows.get(feeder, {}) if isinstance(rows, dict) else None
    if not isinstance(mine, dict):
        raise refusal(CALL, f"says {name} in what is not a JSON object")
    return mine


def _numbers(values: Any) -> bool:
    """Tell whether a value is a list of numbers that one can go by."""
    return _is_list(values) and all(map(is_sound, values))


def _is_list(values: Any) -> bool:
    """Tell a list from a text, which is a sequence as well."""
    return isinstance(values, Sequence) and not isinstance(values, str)


def _pairs(values: Any) -> bool:
    return _is_list(values) and all(_numbers(pair) and len(pair) == 2 for pair in values)
