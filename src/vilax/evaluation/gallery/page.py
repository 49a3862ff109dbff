"""The gallery's page: prompts with their pictures, answers of several models side by side."""

import base64
from collections.abc import Mapping
from html import escape

from vilax.config.schema.gallery import Scene
from vilax.evaluation.gallery.scenes import Opened

QUALITIES = {
    "multi_image": "Several pictures",
    "few_shot": "Learning from examples in the prompt",
    "chain_of_thought": "Step by step",
    "world_knowledge": "Knowledge of the world",
}

CSS = """
:root{--bg:#fbfaf7;--fg:#1d1f22;--soft:#5d6168;--line:#e2dfd7;--card:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#131518;--fg:#e8e7e3;--soft:#a0a4ab;--line:#30343a;
--card:#1a1d21}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:1.5rem;background:var(--bg);color:var(--fg);
font:16px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
h1{font-size:clamp(1.6rem,4vw,2.3rem);margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.6rem 0 .6rem}
h3{font-size:1.05rem;margin:0 0 .6rem}.note{color:var(--soft);font-size:.9rem;margin:.3rem 0}
article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem;
margin:0 0 1rem;break-inside:avoid}
.prompt{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center}
.prompt img{width:6rem;height:6rem;object-fit:contain;border-radius:8px;background:#fff}
.prompt p{margin:0;padding:.3rem .6rem;border-left:3px solid var(--line)}
.prompt .given{font-style:italic;color:var(--soft)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.9rem;
margin:1rem 0 0}
dl div{border-top:2px solid var(--line);padding-top:.5rem}
dt{color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}
dd{margin:.2rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
"""


def gallery_page(opened: Opened, answers: Mapping[str, Mapping[str, str]]) -> str:
    """One self-contained HTML page.

    Args:
        opened: prompts and pictures.
        answers: model to scene to answer.
    """
    title = escape(opened.gallery.title)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{CSS}</style></head><body><main><h1>{title}</h1>",
        f'<p class="note">Greedy answers of {len(answers)} models to the same prompts. Nothing here'
        " is scored.</p>",
    ]
    for quality, heading in QUALITIES.items():
        scenes = {n: s for n, s in opened.gallery.scenes.items() if s.quality == quality}
        if scenes:
            parts.append(f"<section><h2>{heading}</h2>")
            parts += [_scene(opened, name, scene, answers) for name, scene in scenes.items()]
            parts.append("</section>")
    return "".join([*parts, "</main></body></html>\n"])


def _scene(
    opened: Opened, name: str, scene: Scene, answers: Mapping[str, Mapping[str, str]]
) -> str:
    shown = []
    for part in scene.parts:
        if part.picture is not None:
            data = base64.b64encode(opened.pictures[part.picture]).decode()
            alt = escape(part.picture.rpartition(":")[2].rpartition("/")[2])
            kind = picture_type(opened.pictures[part.picture])
            shown.append(f'<img src="data:{kind};base64,{data}" alt="{alt}">')
        else:
            given = ' class="given"' if part.answer else ""
            shown.append(f"<p{given}>{escape(str(part.text))}</p>")
    cells = "".join(
        f"<div><dt>{escape(model)}</dt><dd>{escape(said[name]) or '(nothing)'}</dd></div>"
        for model, said in answers.items()
    )
    hint = f'<p class="note">Look for: {escape(scene.look_for)}</p>' if scene.look_for else ""
    return (
        f'<article id="{escape(name)}"><h3>{escape(scene.title)}</h3>'
        f'<div class="prompt">{"".join(shown)}</div><dl>{cells}</dl>{hint}</article>'
    )


def picture_type(data: bytes) -> str:
    """Media type of an encoded picture, by its first bytes."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/gif" if data.startswith(b"GIF8") else "image/jpeg"
