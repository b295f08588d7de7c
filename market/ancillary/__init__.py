"""The ancillary market of a substation: regulation and reserve, cleared together with energy."""
