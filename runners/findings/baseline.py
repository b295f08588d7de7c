"""A demand-response owner that inflates its baseline: what it is paid for consumption that never was.

What a load would have consumed is not metered; a rule has to say. Three rules, on the physics of one run: pay
the award of the market, as this project settles; pay the difference of a claimed baseline and the meter; or
sell the claimed baseline to the owner first, at the same price, and buy back what it does not use.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dlmp_cosim.runners.api import Run

LEAST_KW = 1e-3
"""A load is called when it is awarded more than this [kW]."""


def payments(run: Run, inflation: float) -> pd.DataFrame:
    """Sum up what flexible loads are paid when each claims a larger baseline.

    Parameters
    ----------
    run : Run
        A run of a market.
    inflation : float
        By how much baselines are inflated, as a share of what the load would have consumed.

    Returns
    -------
    DataFrame
        A row a rule: ``honest`` and ``inflated`` net payment [$], and the ``gain`` [$].
    """
    network = run.network
    award, metered = run.frame("market/dispatch_real"), run.frame("feeder/load_real")
    price = run.frame("market/dlmp_real")
    hours = (award.index[1] - award.index[0]) / pd.Timedelta(hours=1) if len(award) > 1 else 1.0
    rows = {"award": [0.0, 0.0], "claimed baseline": [0.0, 0.0], "bought baseline": [0.0, 0.0]}
    for resource in network.resources:
        if not resource.load:
            continue
        nodes = [f"{resource.bus}.{phase}" for phase in resource.phases]
        usd = price[nodes].mean(axis=1).to_numpy() * hours / 1e3
        given, used = award[resource.name].to_numpy(), metered[resource.load].to_numpy()
        called = given > LEAST_KW
        for k, share in enumerate((0.0, inflation)):
            baseline = (1.0 + share) * (used + given)
            rows["award"][k] += float((given * usd)[called].sum())
            rows["claimed baseline"][k] += float(((baseline - used) * usd)[called].sum())
            # Bought at the baseline and sold back: what stays is paying for what was used.
            bought = np.where(called, baseline - (baseline - used), used)
            rows["bought baseline"][k] += float(((used - bought) * usd)[called].sum())
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["honest", "inflated"])
    return found.assign(gain=found["inflated"] - found["honest"]).rename_axis("rule")
