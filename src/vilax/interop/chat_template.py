"""Our conversation templates as transformers' chat templates."""

from transformers import PreTrainedTokenizerBase

from vilax.config.schema.data import Template
from vilax.data.templates import find_style


def jinja_of(template: Template, tokenizer: PreTrainedTokenizerBase) -> str:
    """A Jinja template that writes conversations as the training prompt code does.

    Contents are texts, or lists of ``{"type": "image"}`` and ``{"type": "text", "text": ...}``.
    """
    style = find_style(template)

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return "{{ '" + escaped + "' }}"

    end = quoted(str(tokenizer.eos_token)) if style.close_turns else ""
    image = quoted("<image>" + style.image_suffix)
    images_first = "{% for c in m['content'] if c['type'] == 'image' %}{{ '<image>' }}{% endfor %}"
    inline = (
        "{% for c in m['content'] %}{% if c['type'] == 'image' %}"
        + (quoted(" ") if style.image_first else image)
        + "{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    )
    content = "{% if m['content'] is string %}{{ m['content'] }}{% else %}" + inline + "{% endif %}"
    first = "{% if m['content'] is not string %}" + images_first + "{% endif %}"
    bos = "{{ bos_token }}" if tokenizer.bos_token else ""
    return (
        bos
        + quoted(style.system)
        + "{% for m in messages %}{% if m['role'] == 'user' %}"
        + ("" if style.image_first else "{% if not loop.first %}" + quoted(style.turn_gap))
        + ("" if style.image_first else "{% endif %}")
        + (first if style.image_first else "")
        + quoted(style.user_prefix)
        + content
        + quoted(style.user_suffix)
        + "{% elif m['role'] == 'assistant' %}"
        + quoted(style.assistant_prefix + style.answer_space)
        + content
        + quoted(style.assistant_suffix)
        + end
        + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
        + quoted(style.assistant_prefix)
        + "{% endif %}"
    )
