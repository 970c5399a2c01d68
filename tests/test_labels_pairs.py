"""Is a text as a label what was delivered, and refused with a reason where it is none?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import labels
from tasks.labels import pairs

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(str.strip)


@given(TEXTS)
def test_every_text_comes_back_as_it_was_delivered(text: str) -> None:
    assert pairs.show(pairs.parse(text)) == text


def test_line_ends_and_tabs_are_text_and_stay() -> None:
    assert pairs.show(pairs.parse("one\ttwo\r\nthree\n")) == "one\ttwo\r\nthree\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the text is empty"),
        (" \n\t", "the text is empty"),
        ("a\x00b", r"the text has the control character '\\x00'"),
        ("a\x1bb", r"the text has the control character '\\x1b'"),
        ("a\ud800b", r"the text has the control character '\\ud800'"),
        ("ä" * 32_769, "the text has 65,538 bytes; 65,536 are allowed"),
    ],
)
def test_what_is_no_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pairs.parse(text)


def test_a_text_of_exactly_64_kib_is_taken() -> None:
    assert pairs.show(pairs.parse("ä" * 32_768)) == "ä" * 32_768


def test_a_text_has_no_class_and_no_classifier_can_be_asked() -> None:
    y = pairs.parse("Guten Tag")
    assert pairs.PAIRED
    assert pairs.classes_of(y) == ()
    assert pairs.target(y) is None
    assert "pairs" in labels.kinds()


def test_texts_that_share_letters_have_vectors_that_lie_near() -> None:
    same, near, far = pairs.encode([pairs.parse(text) for text in ("the red house", "the red horse", "qvf zmk")], ())
    assert pairs.encode([], ()).shape == (0, 256)
    assert same @ same == pytest.approx(1) and same @ near > 0.6 > 0.2 > same @ far
    assert np.isfinite(pairs.encode([pairs.parse("x")], ())).all()
