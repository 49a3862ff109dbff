"""How the page looks; nothing of it is fetched from elsewhere."""

import json
from html import escape

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

CSS = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto; }
.dark { color-scheme: dark; }
.problem {
  margin: 0; padding: .6rem .8rem; border-radius: 6px; overflow-wrap: anywhere;
  border: 1px solid #b3261e; background: #fdecea; color: #7a1410;
}
.dark .problem { border-color: #f2867d; background: #3b1513; color: #ffd9d5; }
.example { overflow-wrap: anywhere; }
.example p { margin: .2rem 0; }
.example img {
  display: inline-block; margin: 0 .3rem .3rem 0; height: 64px; width: auto; max-width: 100%;
  border-radius: 4px;
}
#question .submit-button, #question .stop-button {
  width: auto; padding: 0 .9rem; border-radius: 6px; font-weight: 600;
  background: var(--body-text-color); color: var(--body-background-fill);
}
.gradio-container :is(textarea, input):focus-visible {
  outline: 2px solid var(--color-accent) !important; outline-offset: 1px;
}
#history div:has(> button[aria-label="Share"]) { display: none; }
#prompt textarea { font-family: var(--font-mono); font-size: .8rem; }
"""
"""gradio's chatbot offers to send pictures to a public host; that button is not shown, and the
server's policy keeps the browser from it."""

NAMES = {
    "#question textarea": "Question",
    "#question .upload-button": "Add pictures to the question",
    "#question .submit-button": "Ask",
    "#shot textarea": "Question of a new example",
    "#shot .upload-button": "Add pictures to the example",
    "#prompt textarea": "What the model saw",
}

HEAD = f"""<script>
new MutationObserver(() => {{
  for (const [where, name] of Object.entries({json.dumps(NAMES)}))
    document.querySelector(where)?.setAttribute("aria-label", name);
  document.querySelectorAll("#history img").forEach((picture, place) => {{
    picture.alt = `Picture ${{place + 1}} of the conversation`;
  }});
}}).observe(document, {{ childList: true, subtree: true }});
</script>"""
"""Names for screen readers: gradio shows labels that it does not tie to their fields, and gives
pictures of a conversation none."""


def theme() -> gr.themes.Base:
    """Fonts of the reader's system, and small print that can be read."""
    return gr.themes.Default(font=FONTS, font_mono=MONO).set(
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
    )


def problem(message: str = "") -> gr.HTML:
    """What went wrong, said at once by a screen reader; none: nothing went wrong."""
    shown = f'<p class="problem" role="alert">{escape(message)}</p>' if message else ""
    return gr.HTML(shown, visible=bool(message))
