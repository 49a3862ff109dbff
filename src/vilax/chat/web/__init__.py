"""A conversation as a page of this machine."""
