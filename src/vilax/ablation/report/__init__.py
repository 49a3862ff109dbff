"""The report of comparisons: one content, written as JSON, Markdown and a self-contained page."""
