"""Small chat templates in the shape of each LLM family's own, and tokenizers that carry them."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Family:
    """A chat template, the special tokens it names, and what a talk of two turns supervises.

    Attributes:
        jinja: the template.
        special: its special tokens.
        supervised: of the talk of ``tests.models.test_families``.
        bos: the tokenizer's beginning token.
        eos: its end token.
        stripping: special tokens that take in the white space after them.
    """

    jinja: str
    special: tuple[str, ...]
    supervised: str
    bos: str | None = None
    eos: str = "</s>"
    stripping: bool = False


def _said(end: str, before: str = "") -> str:
    return f"{before}this is the apple{end}{before}a lemon and a cat{end}"


EACH = "{%- for m in messages %}"
IM = ("<|im_start|>", "<|im_end|>")
CHATML = (
    EACH + "{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
QWEN = (
    "{%- if messages[0].role != 'system' %}"
    "{{- '<|im_start|>system\\nYou answer.<|im_end|>\\n' }}{%- endif %}" + CHATML
)
QWEN_3 = (
    "{%- set last = namespace(user=0) %}" + EACH + "{%- if m.role == 'user' %}"
    "{%- set last.user = loop.index0 %}{%- endif %}{%- endfor %}" + EACH + "{%- if "
    "m.role == 'assistant' and loop.index0 > last.user %}{{- '<|im_start|>assistant\\n<think>\\n\\n"
    "</think>\\n\\n' + m.content.lstrip('\\n') + '<|im_end|>\\n' }}{%- else %}"
    "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
SMOLLM_3 = (
    "{{- '<|im_start|>system\\nToday: ' + strftime_now('%d %B %Y') }}"
    "{%- if enable_thinking is not defined or enable_thinking %}{{- '\\n/think' }}{%- else %}"
    "{{- '\\n/no_think' }}{%- endif %}{{- '<|im_end|>\\n' }}"
    + EACH
    + "{%- if m.role == 'assistant'"
    " %}{{- '<|im_start|>assistant\\n' + m.content.lstrip('\\n') + '<|im_end|>\\n' }}{%- else %}"
    "{{- '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>")
LLAMA_3 = (
    EACH + "{%- set one = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n'"
    " + m['content'] | trim + '<|eot_id|>' %}{%- if loop.index0 == 0 %}"
    "{%- set one = bos_token + one %}{%- endif %}{{- one }}{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
ALTERNATING = (
    "{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{- raise_exception('roles must alternate') }}{%- endif %}"
)
INST = (
    EACH + ALTERNATING + "{%- if m['role'] == 'user' %}{{- BOS + '[INST] ' + m['content'] | trim"
    " + ' [/INST]' }}{%- else %}{{- ' ' + m['content'] | trim + ' ' + eos_token }}{%- endif %}"
    "{%- endfor %}"
)
LLAMA_2 = INST.replace("BOS", "bos_token")
MISTRAL = (
    "{{- bos_token }}" + EACH + ALTERNATING + "{%- if m['role'] == 'user' %}"
    "{{- '[INST] ' + m['content'] + '[/INST]' }}{%- else %}"
    "{{- ' ' + m['content'] | trim + eos_token }}{%- endif %}{%- endfor %}"
)
VICUNA = (
    "{{- bos_token + 'A chat. ' }}" + EACH + "{%- if m['role'] == 'user' %}"
    "{{- 'USER: ' + m['content'] + ' ' }}{%- else %}"
    "{{- 'ASSISTANT: ' + m['content'] + eos_token }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- 'ASSISTANT:' }}{%- endif %}"
)
GEMMA = (
    "{{- bos_token }}" + EACH + ALTERNATING + "{%- set role = 'model' if m['role'] == 'assistant'"
    " else m['role'] %}{{- '<start_of_turn>' + role + '\\n' + m['content'] | trim +"
    " '<end_of_turn>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"
)
PHI_3 = (
    EACH + "{{- '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}"
    "{%- else %}{{- eos_token }}{%- endif %}"
)
PHI_4 = (
    EACH + "{{- '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- else %}{{- eos_token }}{%- endif %}"
)
PHI = ("<|user|>", "<|assistant|>", "<|end|>")
OLMO_2 = (
    "{{- bos_token }}" + EACH + "{%- if m['role'] == 'user' %}"
    "{{- '<|user|>\\n' + m['content'] + '\\n' }}{%- elif not loop.last %}"
    "{{- '<|assistant|>\\n' + m['content'] + eos_token + '\\n' }}{%- else %}"
    "{{- '<|assistant|>\\n' + m['content'] + eos_token }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- endif %}"
)

FAMILIES = {
    "llama 2": Family(LLAMA_2, (), _said(" </s>", " "), bos="<s>"),
    "vicuna": Family(VICUNA, (), _said("</s>", " "), bos="<s>"),
    "llama 3": Family(
        LLAMA_3, HEADERS, _said("<|eot_id|>"), bos="<|begin_of_text|>", eos="<|eot_id|>"
    ),
    "mistral": Family(MISTRAL, ("[INST]", "[/INST]"), _said("</s>", " "), bos="<s>"),
    "qwen 2": Family(QWEN, IM, _said("<|im_end|>"), eos="<|im_end|>"),
    "qwen 2.5": Family(QWEN, IM, _said("<|im_end|>"), eos="<|endoftext|>"),
    "qwen 3": Family(QWEN_3, IM, _said("<|im_end|>"), eos="<|im_end|>"),
    "gemma 2": Family(
        GEMMA, ("<start_of_turn>", "<end_of_turn>"), _said("<end_of_turn>"), "<bos>", "<eos>"
    ),
    "gemma 3": Family(
        GEMMA, ("<start_of_turn>", "<end_of_turn>"), _said("<end_of_turn>"), "<bos>", "<eos>"
    ),
    "phi": Family(PHI_4, PHI, _said("<|end|>"), eos="<|endoftext|>"),
    "phi 2": Family(PHI_3, PHI, _said("<|end|>"), eos="<|endoftext|>", stripping=True),
    "smollm 2": Family(QWEN, IM, _said("<|im_end|>"), bos="<|im_start|>", eos="<|im_end|>"),
    "smollm 3": Family(SMOLLM_3, IM, _said("<|im_end|>"), eos="<|im_end|>"),
    "olmo 2": Family(OLMO_2, (), _said("<|endoftext|>"), bos="<|endoftext|>", eos="<|endoftext|>"),
}
"""By the names of ``tests.models.test_families``."""


def chat_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Byte level, with the family's special tokens and its template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({symbol: n for n, symbol in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = dict.fromkeys(filter(None, ("<pad>", family.bos, family.eos, *family.special)))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=family.bos,
        eos_token=family.eos,
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens(
        [AddedToken(n, special=True, normalized=False, rstrip=family.stripping) for n in names],
        special_tokens=True,
    )
    tokenizer.chat_template = family.jinja
    return tokenizer


def save_chat_tokenizer(family: Family, folder: Path) -> PreTrainedTokenizerBase:
    """Write it as a folder and read that."""
    chat_tokenizer(family).save_pretrained(folder)
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return loaded
