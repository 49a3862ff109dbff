"""A fresh process that reads an export by vilax's own readers and answers.

usage: python -m vilax.interop.reload_own FOLDER CASES OUT LAYOUT
"""

import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file

from vilax.artifacts.store import read_entry
from vilax.config.schema.run import Run
from vilax.config.start import config_in
from vilax.config.validate import validate
from vilax.interop.answers import answer, weights_hash
from vilax.interop.folder import import_model
from vilax.interop.layouts import read_source
from vilax.training.load import load_result


def main(folder: str, cases: str, out: str, layout: str) -> None:
    """Logits and a greedy answer of each case, and the hash of all weights."""
    with tempfile.TemporaryDirectory(dir=Path(folder).parent, prefix=".reload.") as temporary:
        native = Path(folder)
        if layout != "vilax":
            native = Path(temporary) / "model"
            import_model(read_source(Path(folder))[1], folder, native)
        run = validate(Run, config_in(native))
        model = load_result(run, read_entry(native), run.order[-1])[0].cpu().float()
        save_file(answer(model, load_file(cases)) | {"weights": weights_hash(model)}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
