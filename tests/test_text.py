"""Is a text read as it was delivered, refused with its reason, and turned into the same vectors every time?"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_texts import TOPICS, sentence

from tasks import store, validate
from tasks.modalities import Range, Unreadable, modalities, modality
from tasks.modalities.text import sentences
from tasks.modalities.text.decode import PREVIEW, facts, load, preview
from tasks.modalities.text.tfidf import LONGEST, WIDTHS, Tfidf, words
from tasks.model import CODES, Mistake, Task

LIMITS = {"max_bytes": 64 * 2**20, "max_pixels": 1}
MANY = [sentence(topic, np.random.default_rng(seed)) for seed in range(60) for topic in TOPICS]


@pytest.mark.parametrize("name", modalities())
def test_every_modality_has_what_its_registry_says(name: str) -> None:
    module = modality(name)
    for function in ("facts", "load", "size", "preview", "example", "resolve_auto"):
        assert callable(getattr(module, function)), function
    assert module.cell is None or callable(module.cell)
    assert module.DECODER is None or isinstance(module.DECODER, str)
    assert module.OFFLINE in module.EMBEDDERS
    assert set(module.RANGES) <= set(module.FACTS.columns) - {"asset"}
    assert all(isinstance(bounds, Range) and bounds.low < bounds.high for bounds in module.RANGES.values())
    assert {"asset", "bytes", "note"} <= set(module.FACTS.columns)


def test_a_range_of_params_replaces_the_bounds_of_the_modality_and_keeps_the_rest() -> None:
    params = validate.Params(task=Task("text"), ranges={"characters": (3, 500)})
    assert params.bounds() == {
        "characters": Range(3, 500),
        "words": Range(1, 20_000, remark="emoji and punctuation are no words"),
    }
    assert [bounds.says for bounds in params.bounds().values()] == ["3 to 500", "1 to 20000"]
    assert modality("image").RANGES["contrast"].says == "above 0 to 0.5"
    with pytest.raises(ValueError, match="A range of 'width' is none of those allowed: characters, words"):
        validate.Params(task=Task("text"), ranges={"width": (1, 2)})


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_text_is_measured_without_a_language() -> None:
    assert facts("Lost my card, my CARD!\r\n7 °C".encode(), LIMITS) == {
        "bytes": 29,
        "characters": 28,
        "words": 7,
        "lines": 2,
        "letters": 17 / 21,
        "distinct": 5 / 7,  # lost my card 7 c
        "note": None,
    }


def test_what_a_person_should_know_stands_in_the_note() -> None:
    text = "\ufeffcafe\u0301 \u202eevil"
    assert facts(text.encode(), LIMITS)["note"] == (
        "byte order mark left out; has bidirectional controls; is not composed (NFC)"
    )
    assert load(text.encode()) == "cafe\u0301 \u202eevil"


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "E_ASSET_EMPTY", "The text has 0 bytes."),
        (" \n\t\u3000".encode(), "E_ASSET_EMPTY", "The text is white space only."),
        ("\ufeff".encode(), "E_ASSET_EMPTY", "The text is white space only."),
        (b"caf\xe9", "E_ENCODING", "The text has byte 0xE9 at offset 3, which is not UTF-8."),
        (b"\xef\xbb\xbfcaf\xe9", "E_ENCODING", "The text has byte 0xE9 at offset 6, which is not UTF-8."),
        ("card".encode("utf-16"), "E_ENCODING", "The text is UTF-16 by its mark; UTF-8 is allowed."),
        ("card".encode("utf-32"), "E_ENCODING", "The text is UTF-32 by its mark; UTF-8 is allowed."),
        (b"a\xed\xa0\x80", "E_ENCODING", "The text has byte 0xED at offset 1, which is not UTF-8."),
        (b"a\0b", "E_CHARACTER", "The text has the control character U+0000 at character 1."),
        ("It\x92s".encode(), "E_CHARACTER", "The text has the control character U+0092 at character 2."),
    ],
)
def test_what_is_no_usable_text_is_refused_with_its_code(data: bytes, code: str, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        facts(data, LIMITS)
    assert (caught.value.code, str(caught.value)) == (code, message)
    assert code in CODES


def test_a_text_of_fifty_megabytes_is_measured_or_refused_by_its_size_and_embedded_by_its_beginning() -> None:
    long = b"word " * 10_000_000
    found = facts(long, LIMITS)
    assert (found["characters"], found["words"], found["distinct"]) == (50_000_000, 10_000_000, 1 / 20_000)
    assert found["characters"] > modality("text").RANGES["characters"].high  # so the gate holds it
    with pytest.raises(Unreadable, match=r"The text has 50,000,000 bytes; 9,000 are allowed\."):
        facts(long, {"max_bytes": 9_000})
    embedder, state = Tfidf(), Tfidf().fit(["a word", "another"])
    whole = embedder.transform([load(long)], state)
    beginning = embedder.transform(["word " * (LONGEST // 5)], state)
    assert all(np.array_equal(whole[view], beginning[view]) for view in WIDTHS)
    assert preview(long)[1].decode() == ("word " * 80)[:PREVIEW] + "…"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_never_worse(data: bytes) -> None:
    try:
        text = load(data)
    except Unreadable as error:
        assert error.code in CODES
    else:
        assert text.encode() == data.removeprefix(b"\xef\xbb\xbf")
        assert facts(data, LIMITS)["characters"] == len(text)


@given(st.text(max_size=900))
def test_a_preview_is_one_short_line_without_bidirectional_controls(text: str) -> None:
    media, content = preview(text.encode("utf-8", "replace"))
    shown = content.decode()
    assert media == "text/plain"
    assert len(shown.replace("\\u", "")) <= 6 * PREVIEW + 1 and len(shown.splitlines()) <= 1
    assert not set(shown) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_a_preview_writes_out_what_would_reorder_the_page() -> None:
    assert preview("abc\u202e\n  def".encode())[1] == rb"abc\u202e def"


# --- embedding -------------------------------------------------------------------------------------------------------


def unit(x_ND: np.ndarray) -> np.ndarray:
    return np.asarray(x_ND / np.maximum(np.linalg.norm(x_ND, axis=1, keepdims=True), 1e-9))


def test_the_nearest_text_is_of_the_same_topic_in_every_view() -> None:
    embedder = Tfidf()
    state = embedder.fit(MANY[:120])
    for view, x_ND in embedder.transform(MANY, state).items():
        near_NN = unit(x_ND) @ unit(x_ND).T
        np.fill_diagonal(near_NN, -1)
        same = near_NN.argmax(axis=1) % 3 == np.arange(len(MANY)) % 3
        assert same.mean() > 0.95, view


def test_what_was_learnt_is_plain_arrays_that_come_back_from_a_file_and_give_the_same_vectors(tmp_path: Path) -> None:
    embedder = Tfidf()
    state = embedder.fit(MANY)
    store.write_arrays(tmp_path / "state.npz", state)
    again = store.read_arrays(tmp_path / "state.npz")
    assert embedder.fingerprint(again) == embedder.fingerprint(state)
    before, after = embedder.transform(MANY, state), embedder.transform(MANY, again)
    assert all(np.array_equal(before[view], after[view]) for view in WIDTHS)
    assert embedder.views(state) == {view: x_ND.shape[1] for view, x_ND in before.items()}
    assert embedder.fingerprint(embedder.fit(MANY[1:])) != embedder.fingerprint(state)


def test_a_vector_depends_on_its_text_alone_and_not_on_case_or_composition() -> None:
    embedder = Tfidf()
    state = embedder.fit([*MANY, "café"])
    together = embedder.transform([*MANY, "CAFE\u0301 rose"], state)
    alone = embedder.transform(["café ROSE"], state)
    for view in WIDTHS:
        assert np.array_equal(together[view][-1], alone[view][0])
        assert np.linalg.norm(alone[view][0]) > 0.1


@pytest.mark.parametrize("texts", [["one"], ["one", "two"], ["!?", "?!"], ["!"], ["a", "a"], ["你好世界", "再见世界"]])
def test_few_texts_and_texts_without_words_have_views_of_some_width(texts: list[str]) -> None:
    embedder = Tfidf()
    state = embedder.fit(texts)
    x = embedder.transform(texts, state)
    assert {view: x_ND.shape for view, x_ND in x.items()} == {
        view: (len(texts), width) for view, width in embedder.views(state).items()
    }
    assert all(width >= 1 for width in embedder.views(state).values())
    assert np.isfinite(x["words"]).all() and np.linalg.norm(x["characters"], axis=1).min() > 0
    assert {view: x_ND.shape for view, x_ND in embedder.transform([], state).items()} == {
        view: (0, width) for view, width in embedder.views(state).items()
    }


def test_words_are_taken_alone_and_in_pairs_and_endless_ones_are_cut() -> None:
    assert words("a b c") == ["a", "b", "c", "a b", "b c"]
    assert words("x" * 10**6) == ["x" * 40]


# --- a pretrained model ----------------------------------------------------------------------------------------------


def refusal(folder: Path | None) -> str:
    with pytest.raises(Mistake) as caught:
        modality("text").EMBEDDERS["sentence-transformers"](weights=folder, device="cpu", threads=1, batch=8, seed=0)
    return str(caught.value)


def a_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    return folder


def test_a_sentence_model_needs_a_folder_that_is_one_and_holds_nothing_that_runs(tmp_path: Path) -> None:
    assert refusal(None) == (
        "Model 'sentence-transformers' needs a folder with a model. Name it in embed.weights of params.yaml, "
        "or set embed.model: tfidf in params.yaml."
    )
    assert refusal(tmp_path).startswith(f"Weights '{tmp_path}' of model 'sentence-transformers' have no modules.json.")
    folder = a_model(tmp_path / "m")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert "hold 'pytorch_model.bin', which may run code. Safetensors are allowed" in refusal(folder)


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is not None, reason="the extra is installed")
def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    assert refusal(a_model(tmp_path / "m")) == (
        "Model 'sentence-transformers' needs the library of that name. Install it with: "
        "pip install 'assay[sentence-transformers]', or set embed.model: tfidf in params.yaml."
    )


def test_the_fingerprint_of_a_model_is_that_of_its_files(tmp_path: Path) -> None:
    one, two = a_model(tmp_path / "one"), a_model(tmp_path / "two")
    assert sentences.fingerprint(one) == sentences.fingerprint(two)
    (two / "model.safetensors").write_bytes(b"x")
    assert sentences.fingerprint(one) != sentences.fingerprint(two)
    content = hashlib.sha256(b"[]").hexdigest()
    expected = hashlib.sha256(b"sentence-transformers" + f"modules.json {content}\n".encode()).hexdigest()
    assert sentences.fingerprint(one) == expected
