"""Configuration: the typed schema, composition from YAML, and messages that name the mistake."""
