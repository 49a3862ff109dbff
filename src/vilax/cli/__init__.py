"""``vilax <command>``: one thin file per command over the library."""
