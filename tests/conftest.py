"""Settings that every test shares: no network, no account, one thread."""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}

pytest_plugins = ["tests.tiny"]
