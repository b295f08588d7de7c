"""Where things are, and their AC physics: networks, cases and power flow engines."""
