from __future__ import annotations

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention

from pipeline.occluders import attention
from pipeline.occluders.sam import small_sam


@pytest.mark.parametrize("block", [1, 5 * 4 * 4, 2 * 5 * 5 * 4 * 4, 7 * 5 * 5 * 4 * 4])
def test_blocks_of_any_size_give_the_stock_attention(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of a row, of a map, of two, and of more than all rows."""
    monkeypatch.setattr(attention, "_BLOCK", block)
    torch.manual_seed(0)
    layer = Attention(12, num_heads=3, use_rel_pos=True, input_size=(5, 4)).requires_grad_(False)
    layer.rel_pos_h.normal_()
    layer.rel_pos_w.normal_()
    x = torch.randn(2, 5, 4, 12)
    torch.testing.assert_close(attention.attend(layer, x), layer(x), rtol=1e-5, atol=1e-6)


def test_the_encoder_keeps_its_output() -> None:
    torch.manual_seed(0)
    encoder = small_sam().image_encoder.eval().requires_grad_(False)
    images = torch.randn(2, 3, 192, 192)
    expected = encoder(images)
    attention.attend_in_blocks(encoder)
    assert torch.equal(encoder(images), expected)
