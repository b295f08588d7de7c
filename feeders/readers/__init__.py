"""Files that a feeder is read from: tables and JSON; every mistake is named with file, line and column."""
