"""An owner that breaks the contract on demand: ``rude_owner.py FILE.json FAULT``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import helics as h

PERIOD, INTERVALS = 3600, 3


def main() -> int:
    file, fault = sys.argv[1:]
    config = json.loads(Path(file).read_text())
    if fault == "key":
        config["publications"][0]["key"] = "plain/offers"
    if fault == "unit":
        config["publications"][0]["unit"] = "MW"
    if fault == "foreign":
        config["publications"].append({"key": "market/advice", "type": "double", "global": True})
    federate = h.helicsCreateValueFederateFromConfig(json.dumps(config))
    output = h.helicsFederateGetPublicationByIndex(federate, 0)
    h.helicsFederateEnterExecutingMode(federate)
    for interval in range(INTERVALS):
        h.helicsFederateRequestTime(federate, interval * PERIOD + (5 if fault == "late" else 1))
        name = "backup_74" if fault == "resource" else "backup_47"
        kw = 400.0 if fault == "size" else 90.0
        row = {"resource": name, "p_min_kw": 0.0, "p_max_kw": kw, "cost_linear": 20.0}
        number = 0 if fault == "interval" else interval
        h.helicsPublicationPublishString(output, json.dumps({"interval": number, "offers": [row]}))
    h.helicsFederateRequestTime(federate, INTERVALS * PERIOD)
    h.helicsFederateDisconnect(federate)
    if fault == "hang":
        time.sleep(60)
    return 7 if fault == "exit" else 0


if __name__ == "__main__":
    raise SystemExit(main())
