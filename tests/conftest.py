"""Settings of all tests: no network, one thread per process, outputs in a folder of their own."""

import os
import shutil
import tempfile

import pytest

# Set when this file is imported: before torch, Hugging Face or wandb read their environment.
os.environ.update(
    {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "HYDRA_FULL_ERROR": "1",
        "MKL_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_OFFLINE": "1",
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
    }
)

# Worker processes of xdist inherit the folder, so that what one test builds is cached for all.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if not IS_WORKER:
    os.environ["VILAX_OUTPUTS"] = tempfile.mkdtemp(prefix="vilax-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the outputs of the session."""
    if not IS_WORKER:
        shutil.rmtree(os.environ["VILAX_OUTPUTS"], ignore_errors=True)
