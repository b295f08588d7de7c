"""Results as tables that pandas, polars and DuckDB open, with units in the metadata of every column."""

# Before HELICS: loaded after it, Arrow crashes where it reads a time zone (helics 3.6.1, pyarrow 26).
import pyarrow.lib  # noqa: F401
