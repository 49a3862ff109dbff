"""The world's tokenizer: one token a word, a fixed vocabulary, no dependence on any seed."""

from typing import TYPE_CHECKING

from vilax.micro.language import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"
MAX_LENGTH = 1_000_000
"""Longest text that the tokenizer accepts without a warning; the model's own limit is lower."""


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Build the tokenizer of the micro world.

    Words are lower-cased and split at spaces and punctuation (``->`` stays whole). Special tokens
    are ``<pad>`` (0), ``</s>`` (1, end of a document) and ``<unk>`` (2); there is no beginning
    token. Decoding joins tokens with single spaces.

    Returns:
        A tokenizer that ``save_pretrained`` writes as an ordinary Hugging Face folder.

    """
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate((PAD, EOS, UNKNOWN, *vocabulary()))}
    tokenizer = Tokenizer(WordLevel(words, unk_token=UNKNOWN))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Sequence(
        [WhitespaceSplit(), Split(Regex(r"->|\w+|[^\w\s]"), "isolated")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
