"""vilax: pre-training recipes for visual language models, compared under control."""

__version__ = "0.1.0"
