"""Vilax models as models of the field's harnesses: lm-eval for text, lmms-eval for pictures.

A harness owns tasks, prompts' words and scores; ours are the tokens asked and the answers. Each
module imports its harness at the top, so importing this package needs neither.
"""
