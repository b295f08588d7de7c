from __future__ import annotations

import helics as h
import pytest

from dlmp_cosim.federates.runtime.link import FederationStopped, start_error

REFUSED = "broker responded with error: broker key does not match"


@pytest.mark.parametrize(
    "text",
    [
        f"[-1] {REFUSED}",
        "[-2] Input  is required but has no connection",
        "[-4] invalid arguments in configure string",
    ],
)
def test_an_error_of_its_own_is_its_fault(text: str) -> None:
    error = start_error("feeder could not join", h.HelicsException(text))
    assert not isinstance(error, FederationStopped)
    assert str(error) == f"feeder could not join: {text.partition('] ')[2]}"


@pytest.mark.parametrize(
    "text",
    [
        "[-1] Core has already moved to operating state",
        '[-101] Input "" source has incompatible unit: kW is not convertible to V',
        "[98] market failed while joining: no such file",
        "[99] market: no such file",
    ],
)
def test_an_error_of_another_is_no_fault(text: str) -> None:
    error = start_error("could not start", h.HelicsException(text))
    assert isinstance(error, FederationStopped)
    assert str(error) == f"could not start: {text.partition('] ')[2]}"


@pytest.mark.parametrize("text", ["[-6] HELICS system failure", "[-10] federate is in invalid state"])
def test_a_broken_federation_is_explained(text: str) -> None:
    error = start_error("could not start", h.HelicsException(text))
    assert isinstance(error, FederationStopped)
    assert "a name that is taken" in str(error)
