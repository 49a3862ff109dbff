"""The scoring functions load without a model."""

import subprocess
import sys


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, vilax.evaluation.metrics;"
        "heavy = {'torch', 'numpy', 'scipy', 'transformers', 'pydantic'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
