"""Does a real sentence model, made here with random weights, embed texts through our loading code?

Needs the extra `sentence-transformers`, which the lock does not hold; without it these tests are skipped by name.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.modalities import modality

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("sentence_transformers") is None,
        reason="the extra is not installed: pip install 'assay[sentence-transformers]'",
    ),
    pytest.mark.filterwarnings("ignore"),  # those of the extra's own libraries
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "card", "late", "cash", "fee", "the", "was", "my"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of BERT, 32 wide, over WORDS."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    raw, folder = (tmp_path_factory.mktemp(name) for name in ("raw", "model"))
    tokens = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokens.normalizer, tokens.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokens.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokens, model_max_length=16, **special).save_pretrained(raw)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)).save_pretrained(raw)
    SentenceTransformer(modules=[Transformer(str(raw)), Pooling(32, "mean")], device="cpu").save(str(folder))
    return folder


def embedder(folder: Path) -> Any:
    return modality("text").EMBEDDERS["sentence-transformers"](weights=folder, device="cpu", threads=1, batch=2, seed=0)


def test_texts_become_vectors_in_their_order_whatever_the_batch(model: Path) -> None:
    one = embedder(model)
    texts = ["my card was late", "the cash fee", "my card was late", "x " * 5_000, ""]
    told = one.transform(texts, {})["sentences"]
    assert told.shape == (5, 32)
    assert told.dtype == np.float32
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told[0], told[2], atol=1e-5)
    assert np.abs(told[0] - told[1]).max() > 0.01
    np.testing.assert_allclose(one.transform(texts[1:2], {})["sentences"][0], told[1], atol=1e-5)
    assert one.views({}) == {"sentences": 32}
    assert one.transform([], {})["sentences"].shape == (0, 32)


def test_the_fingerprint_follows_the_files(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    assert embedder(copy).fingerprint({}) == embedder(model).fingerprint({})
    (copy / "README.md").write_text("another", encoding="utf-8")
    assert embedder(copy).fingerprint({}) != embedder(model).fingerprint({})
