"""Roles of a federation in which the assets fail and the wholesale federate hears of it."""

from __future__ import annotations

from dlmp_cosim.federates.runtime.base import Build
from dlmp_cosim.federates.runtime.link import FederationStopped, Link
from dlmp_cosim.federates.runtime.local import ROLES


def failing_roles(stopped: list[BaseException]) -> dict[str, Build]:
    """Roles in which one fails after a second; what stops another is added to `stopped`."""

    class Failing(ROLES["assets"]):  # type: ignore[misc]
        def run(self, link: Link) -> None:
            link.wait_until(1.0)
            raise RuntimeError("out of offers")

    class Listening(ROLES["wholesale"]):  # type: ignore[misc]
        def run(self, link: Link) -> None:
            try:
                super().run(link)
            except FederationStopped as error:
                stopped.append(error)
                raise

    return {**ROLES, "assets": Failing, "wholesale": Listening}
