"""A circuit drawn on its own coordinates, as SVG: a picture that needs no plotting library."""

from __future__ import annotations

from html import escape

from dlmp_cosim.feeders.network import Bus, Network

WIDTH, MARGIN = 900.0, 20.0
"""Width of the drawing and its empty edge [px]."""
COLOURS = {"line": "#777", "switch": "#2a9d55", "transformer": "#b3541e", "reactor": "#6a4fb3"}
"""Colour of a branch by its kind."""


def draw_circuit(network: Network) -> str:
    """Draw branches as lines and buses as dots, those with resources in colour; empty without coordinates."""
    placed = {bus.name: bus for bus in network.buses if bus.x is not None and bus.y is not None}
    if len(placed) < 2:
        return ""
    scale, low_x, high_y, height = _fit(list(placed.values()))

    def at(name: str) -> tuple[float, float]:
        bus = placed[name]
        return (
            MARGIN + ((bus.x or 0.0) - low_x) * scale,
            MARGIN + (high_y - (bus.y or 0.0)) * scale,
        )

    rows = []
    for branch in network.branches:
        ends = [end.bus for end in branch.terminals if end.bus in placed]
        if len(ends) > 1:
            (x1, y1), (x2, y2) = at(ends[0]), at(ends[1])
            colour = COLOURS.get(branch.kind, "#777")
            rows.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}">'
                f"<title>{escape(branch.name)}</title></line>"
            )
    dispatched = {resource.bus for resource in network.resources if not resource.load}
    for name in placed:
        x, y = at(name)
        size, colour = (4.0, "#0072b2") if name in dispatched else (1.6, "#333")
        rows.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}">'
            f"<title>{escape(name)}</title></circle>"
        )
    head_bus = network.sources[0].terminal.bus
    if head_bus in placed:
        x, y = at(head_bus)
        rows.append(f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#d55e00"/>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'stroke-width="1.2" font-family="sans-serif"><title>{escape(network.name)}</title>'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *rows, "</svg>\n"])


def _fit(buses: list[Bus]) -> tuple[float, float, float, float]:
    """Scale that fills the width, lowest x, highest y, and the height [px]."""
    xs, ys = [bus.x or 0.0 for bus in buses], [bus.y or 0.0 for bus in buses]
    span_x, span_y = max(xs) - min(xs), max(ys) - min(ys)
    scale = (WIDTH - 2 * MARGIN) / max(span_x, span_y / 2, 1e-9)
    return scale, min(xs), max(ys), 2 * MARGIN + span_y * scale
