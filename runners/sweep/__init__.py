"""Many runs: drawn from a file, spread over workers by Dask, kept as tables."""

# Before HELICS: loaded after it, Arrow crashes where it reads a time zone (helics 3.6.1, pyarrow 26).
import pyarrow.lib  # noqa: F401
