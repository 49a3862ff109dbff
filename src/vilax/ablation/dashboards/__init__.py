"""Dashboards: runs in wandb, TensorBoard and CSV; the wandb workspace and report from code."""
