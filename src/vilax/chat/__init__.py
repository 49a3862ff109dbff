"""A conversation with a model: one code, shown in the terminal and on a page."""
