"""How the judgement of an ancillary market is shown."""

from __future__ import annotations

from rich.console import Console

from dlmp_cosim.runners.judge.ancillary import AncillaryVerdict
from dlmp_cosim.runners.plain_table import Rows, say


def show_ancillary(console: Console, verdict: AncillaryVerdict) -> None:
    """Print whether requirements were met, and how calls were answered."""
    if verdict.products:
        heads = ("product", "requirement missed in", "most kW", "price, mean", "largest $/MW h")
        table = Rows(*heads, "delivered", "late", "short", title="Ancillary services")
        for item in verdict.products:
            numbers = (item.short_kw, item.price_mean, item.price_max)
            shown = [f"{number:,.2f}" for number in numbers]
            counts = [str(item.calls[key]) for key in ("delivered", "late", "short")]
            table.add_row(item.product, f"{item.short_intervals} intervals", *shown, *counts)
        table.print(console)
    for call in verdict.answers:
        if call.answer != "delivered":
            who = f"{call.feeder}.{call.resource}, {call.product}"
            missed = f"{call.missed_kw:,.1f} kW missing at most"
            say(console, f"{who} called in interval {call.begin}: {call.answer}, {missed}")
    intervals = sum(item.counted_intervals for item in verdict.products)
    if verdict.violated:
        console.print(
            f"the verdict counts ({verdict.counted}) requirements missed in {intervals} intervals, and "
            f"{verdict.counted_calls} calls"
        )
    within = f"; products have {verdict.within_minutes:g} min" if verdict.products else ""
    console.print(
        f"more than {verdict.band_kw:g} kW off what was bought in {verdict.out_of_band} intervals, for "
        f"{verdict.longest_minutes:g} min at the longest{within}"
    )


def show_calls(console: Console, verdict: AncillaryVerdict) -> None:
    """Print every call of every resource."""
    if not verdict.answers:
        console.print("nothing was called")
        return
    table = Rows("resource", "product", "from", "intervals", "called kWh", "delivered kWh", "answer")
    for call in sorted(verdict.answers, key=lambda item: (item.begin, item.product, item.feeder)):
        energy = [f"{value:,.1f}" for value in (call.called_kwh, call.delivered_kwh)]
        spans = (str(call.begin), str(call.end - call.begin))
        table.add_row(f"{call.feeder}.{call.resource}", call.product, *spans, *energy, call.answer)
    table.print(console)
