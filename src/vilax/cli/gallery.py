"""``vilax gallery``: answers of several models to the same prompts, on one page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vilax.artifacts.files import write_json, write_text
from vilax.config.describe import choices, load_yaml
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import conf_dir, outputs_dir
from vilax.config.schema.gallery import Gallery
from vilax.config.validate import validate


def main(argv: Sequence[str]) -> int:
    """Ask every model every prompt; prints the page's path."""
    words = _parser().parse_intermixed_args(list(argv))
    path = _file(words.prompts, Path(words.config_dir) if words.config_dir else None)
    content = load_yaml(path) | ({"template": words.template} if words.template else {})
    gallery = validate(Gallery, content)
    from vilax.ablation.subject import find_result, open_subject
    from vilax.evaluation.gallery.page import gallery_page
    from vilax.evaluation.gallery.scenes import answer_scenes, open_gallery

    opened = open_gallery(gallery, path.parent)
    answers: dict[str, dict[str, str]] = {}
    for model in words.models:
        run, stage, entry = find_result(model)
        name = f"{run.name} {stage} {entry.identity[:12]}"
        print(f"vilax: asking {name}", file=sys.stderr)
        answers[name] = answer_scenes(open_subject(model), opened)
    folder = Path(words.to).expanduser() if words.to else outputs_dir() / "gallery"
    write_json(folder / "answers.json", answers)
    write_text(folder / "gallery.html", gallery_page(opened, answers))
    print(folder / "gallery.html")
    return 0


def _file(name: str, config_dir: Path | None) -> Path:
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"--prompts {name}: there is no such file")
        return path
    for root in (config_dir, conf_dir()):
        if root is not None and (root / "gallery" / f"{name}.yaml").is_file():
            return root / "gallery" / f"{name}.yaml"
    raise unknown("gallery", name, choices("gallery", config_dir))


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:12} {line}" for name, line in choices("gallery").items())
    parser = argparse.ArgumentParser(
        prog="vilax gallery",
        description="Ask models the same prompts with pictures; one page, answers side by side.",
        epilog=f"prompts:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="a result's folder, or digits of its identity"
    )
    parser.add_argument(
        "--prompts", default="paper", metavar="NAME", help="a name below, or a YAML file"
    )
    parser.add_argument(
        "--template", metavar="NAME", help="how turns become text, as the models learned it"
    )
    parser.add_argument("--to", metavar="DIR", help="folder of the page (outputs/gallery)")
    parser.add_argument("--config-dir", metavar="DIR", help="your own folder in the shape of conf/")
    return parser
