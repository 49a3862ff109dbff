"""The schema is the documentation: each key typed, defaulted and commented."""
