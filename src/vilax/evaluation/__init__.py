"""Evaluation: k-shot prompts built by training's prompt code, answers, scores per item."""
