"""How studies are started, watched and looked at."""
