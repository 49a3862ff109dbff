"""Splicing, packing without crosstalk, and the loss."""

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from tests.tiny import SIZES
from vilax.models.encoder import TransformersEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector, MlpProjector
from vilax.models.vlm import IGNORE, IMAGE_TOKEN, VisionLanguageModel, count_supervised

VISUAL = 4


def document(seed: int, length: int, pictures: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(3, 61, (length,), generator=generator)
    pieces = [words[:2]]
    for _ in range(pictures):
        pieces.append(torch.full((VISUAL,), IMAGE_TOKEN))
    pieces.append(words[2:])
    tokens = torch.cat(pieces)
    labels = tokens.masked_fill(tokens == IMAGE_TOKEN, IGNORE)
    labels[0] = IGNORE
    return tokens, labels


def pack(
    documents: list[tuple[torch.Tensor, torch.Tensor]], length: int
) -> tuple[torch.Tensor, ...]:
    tokens = torch.cat([t for t, _ in documents])
    labels = torch.cat([x for _, x in documents])
    positions = torch.cat([torch.arange(len(t)) for t, _ in documents])
    pad = length - len(tokens)
    return (
        torch.nn.functional.pad(tokens, (0, pad))[None],
        torch.nn.functional.pad(positions, (0, pad))[None],
        torch.nn.functional.pad(labels, (0, pad), value=IGNORE)[None],
    )


@pytest.mark.parametrize(
    ("architecture", "attention"),
    [("llama", "sdpa"), ("llama", "eager"), ("qwen2", "sdpa"), ("mistral", "sdpa")],
)
def test_packed_documents_give_the_loss_and_gradient_of_separate_ones(
    architecture: str, attention: str
) -> None:
    torch.manual_seed(0)
    llm = LanguageModel.scratch(architecture, SIZES, attention, torch.device("cpu"))
    model = VisionLanguageModel(None, None, llm)
    documents = [document(seed, length, 0) for seed, length in ((0, 9), (1, 17), (2, 5))]

    packed = model(*pack(documents, 40))
    packed.backward()
    together = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    alone = torch.zeros(())
    for one in documents:
        loss = model(*pack([one], len(one[0])))
        loss.backward()
        alone = alone + loss.detach()

    assert torch.allclose(packed, alone, rtol=1e-5)
    for name, gradient in together.items():
        assert torch.allclose(gradient, model.get_parameter(name).grad, atol=1e-5), name


def test_packed_pictures_reach_their_own_document_only(tiny_vlm: VisionLanguageModel) -> None:
    documents = [document(0, 9, 1), document(1, 7, 2), document(2, 6, 0)]
    features = torch.randn(3, VISUAL, tiny_vlm.encoder.width)
    packed = tiny_vlm(*pack(documents, 48), features=features)
    alone = tiny_vlm(*pack(documents[:1], 20), features=features[:1])
    alone = alone + tiny_vlm(*pack(documents[1:2], 20), features=features[1:])
    alone = alone + tiny_vlm(*pack(documents[2:], 20))
    assert torch.allclose(packed, alone, rtol=1e-5)


def test_rows_agree_with_one_long_row(tiny_vlm: VisionLanguageModel) -> None:
    first, second = pack([document(0, 9, 0)], 16), pack([document(1, 12, 0)], 16)
    rows = [torch.cat(both) for both in zip(first, second, strict=True)]
    row = [torch.cat(both, dim=1) for both in zip(first, second, strict=True)]
    assert torch.allclose(tiny_vlm(*rows), tiny_vlm(*row), rtol=1e-5)


def test_chunked_loss_equals_whole(tiny_vlm: VisionLanguageModel) -> None:
    batch = pack([document(0, 30, 0)], 32)
    whole = tiny_vlm(*batch, loss_chunk=1000)
    chunked = tiny_vlm(*batch, loss_chunk=16)
    assert torch.allclose(whole, chunked, rtol=1e-6)
    whole.backward()
    expected = tiny_vlm.llm.embedding.weight.grad.clone()
    tiny_vlm.zero_grad()
    chunked.backward()
    assert torch.allclose(expected, tiny_vlm.llm.embedding.weight.grad, atol=1e-6)


def test_an_unused_picture_changes_nothing_but_touches_the_projector(
    tiny_vlm: VisionLanguageModel,
) -> None:
    batch = pack([document(0, 9, 0)], 16)
    dummy = torch.zeros(1, VISUAL, tiny_vlm.encoder.width)
    without, with_dummy = tiny_vlm(*batch), tiny_vlm(*batch, features=dummy)
    assert torch.equal(without, with_dummy)
    with_dummy.backward()
    assert torch.count_nonzero(tiny_vlm.projector.linear.weight.grad) == 0


def test_wrong_number_of_placeholders_is_refused(tiny_vlm: VisionLanguageModel) -> None:
    batch = pack([document(0, 9, 1)], 20)
    with pytest.raises(ValueError, match="4 image placeholders for 8"):
        tiny_vlm(*batch, features=torch.zeros(2, VISUAL, tiny_vlm.encoder.width))
    with pytest.raises(ValueError, match="no pictures"):
        tiny_vlm(*batch)


def test_supervised_tokens_are_those_a_position_predicts() -> None:
    labels = torch.tensor([[7, 8, IGNORE, 9], [IGNORE, IGNORE, IGNORE, IGNORE]])
    assert count_supervised(labels) == 2


def test_logits_equal_those_of_transformers_llava(tmp_path) -> None:
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    text = LlamaConfig(**SIZES)
    reference = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=60)
    ).eval()
    llama = tmp_path / "llm"
    clip = tmp_path / "clip"
    from transformers import CLIPImageProcessor, LlamaForCausalLM

    llm = LlamaForCausalLM(text)
    llm.model.load_state_dict(reference.model.language_model.state_dict())
    llm.lm_head.load_state_dict(reference.lm_head.state_dict())
    llm.save_pretrained(llama)
    reference.model.vision_tower.save_pretrained(clip)
    CLIPImageProcessor(size=28, crop_size=28).save_pretrained(clip)

    encoder = TransformersEncoder(str(clip), layer=-2)
    projector = MlpProjector(24, 32, depth=2)
    theirs = reference.model.multi_modal_projector
    projector.layers[0].load_state_dict(theirs.linear_1.state_dict())
    projector.layers[2].load_state_dict(theirs.linear_2.state_dict())
    ours = VisionLanguageModel(
        encoder, projector, LanguageModel.pretrained(str(llama), "sdpa", torch.device("cpu"))
    ).eval()
    assert ours.tokens_per_view == 4

    pixels = torch.randn(2, 3, 28, 28)
    tokens, _ = document(3, 12, 1)
    second = tokens.clone()
    batch = torch.stack([tokens, second])
    with torch.no_grad():
        expected = reference(
            input_ids=batch.masked_fill(batch == IMAGE_TOKEN, 60), pixel_values=pixels
        ).logits
        positions = torch.arange(len(tokens)).expand(2, -1)
        hidden = ours.llm(ours.embed(batch, ours.features(pixels)), positions)
        assert torch.allclose(ours.llm.logits(hidden), expected, atol=1e-5)


def test_encoder_and_projector_come_together(tiny_llm: LanguageModel) -> None:
    with pytest.raises(ValueError, match="together"):
        VisionLanguageModel(None, LinearProjector(8, 32), tiny_llm)
