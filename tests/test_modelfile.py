"""Is a file of the user's own model read as it was meant, and refused in one sentence that says where it is wrong?"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import modelfile
from tasks.model import Mistake
from tasks.modelfile import Given

IDS = ["007", "NA", "1e5"]
P = [[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]
CSV = "item,cat,fold,dog\n007,.75,0,.25\nNA,.5,1,.5\n1e5,0,0,1\n"
X = [[1.0, 0.0], [0.5, -2.0], [3.0, 3.0]]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def refused(read: Callable[[Path], Given], path: Path) -> str:
    """The sentence, without the name of the file and the command that are in each."""
    with pytest.raises(Mistake) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"File '{path}' ") and "\n" not in said
    option = "predictions" if read is modelfile.predictions else "embeddings"
    assert said.endswith(f" Correct it, then run: assay audit --{option} {path}"), said
    return said.removeprefix(f"File '{path}' ").rpartition(" Correct it,")[0]


def parquet(path: Path, /, **columns: Any) -> Path:
    pd.DataFrame(columns).to_parquet(path)
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "csv": lambda folder: write(folder / "p.csv", CSV),
    "tsv": lambda folder: write(folder / "p.tsv", "\ufeff" + CSV.replace(",", "\t")),
    "semicolon": lambda folder: write(folder / "p.csv", CSV.replace(",", ";").replace("\n", "\n\n")),
    "parquet": lambda folder: parquet(
        folder / "p.parquet", item=IDS, cat=[p[0] for p in P], fold=[0, 1, 0], dog=[p[1] for p in P]
    ),
    "npz": lambda folder: npz(
        folder / "p.npz", items=IDS, probabilities=np.array(P, np.float16), classes=["cat", "dog"], folds=[0, 1, 0]
    ),
}


@pytest.mark.parametrize("form", sorted(MAKERS))
def test_every_format_gives_the_same_predictions_and_ids_stay_text(form: str, tmp_path: Path) -> None:
    given = modelfile.predictions(MAKERS[form](tmp_path))
    assert (given.key, given.names, given.columns) == ("item", IDS, ("cat", "dog"))
    assert given.x_ND.tolist() == P and given.x_ND.dtype == np.float64
    assert given.folds_N is not None and given.folds_N.tolist() == [0, 1, 0]


@pytest.mark.parametrize("form", ["csv", "parquet", "list", "npz"])
def test_every_format_gives_the_same_embeddings(form: str, tmp_path: Path) -> None:
    if form == "csv":
        path = write(tmp_path / "e.csv", "a,path,b\n1,x/1.png,0\n.5,x/2.png,-2\n3,x/3.png,3\n")
    elif form == "npz":
        path = npz(tmp_path / "e.npz", paths=["x/1.png", "x/2.png", "x/3.png"], embeddings=X)
    else:
        names = ["x/1.png", "x/2.png", "x/3.png"]
        values = {"embedding": X} if form == "list" else {"a": [x[0] for x in X], "b": [x[1] for x in X]}
        path = parquet(tmp_path / "e.parquet", path=names, split=["train"] * 3, **values)
    given = modelfile.embeddings(path)
    assert (given.key, given.names) == ("path", ["x/1.png", "x/2.png", "x/3.png"])
    assert given.x_ND.tolist() == X and given.x_ND.dtype == np.float32
    assert given.ignored == (("split",) if form in ("parquet", "list") else ())


def test_a_fold_that_pandas_made_a_float_is_a_whole_number(tmp_path: Path) -> None:
    path = parquet(tmp_path / "p.parquet", item=[1, 2], fold=[0.0, 3.0], cat=[1, 0], dog=[0, 1])
    given = modelfile.predictions(path)
    assert given.names == ["1", "2"]
    assert given.folds_N is not None and given.folds_N.tolist() == [0, 3]


def test_half_precision_and_two_decimals_are_no_wrong_sum(tmp_path: Path) -> None:
    given = modelfile.predictions(write(tmp_path / "p.csv", "item,a,b,c\nx,.33,.33,.33\ny,-1e-9,.5,.5\n"))
    assert given.x_ND[0].tolist() == [0.33, 0.33, 0.33]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty. One row an item is needed, below a header."),
        ("item,cat,dog\n", "has no rows. One row an item is needed."),
        (
            "name,cat,dog\nx,1,0\n",
            "has no column 'item' or 'path' (it has: name, cat, dog). One of them is needed.",
        ),
        ("item,cat,cat\nx,1,0\n", "names column 'cat' twice. Name each column once."),
        ("item,cat,dog\nx,1,0\ny,1\n", "has 2 fields in line 3. The header has 3."),
        ("item,cat,dog\n\nx,1,0\n\ny,1,none\n", "has 'none' in line 5, column 'dog'. A number is needed."),
        (
            "item,cat,dog\n\nx,1,0\ny,1,\n",
            "has nothing or NaN in line 4, column 'dog'. A finite number is needed.",
        ),
        ("item,cat,dog\nx,NaN,1\n", "has nothing or NaN in line 2, column 'cat'. A finite number is needed."),
        ("item,cat,dog\nx,1,0\ny,-inf,1\n", "has -inf in line 3, column 'cat'. A finite number is needed."),
        (
            "item,cat,dog\nx,1,0\ny,2.5,-1.5\n",
            "has 2.5 for class 'cat' in line 3. Probabilities from 0 to 1 are needed; take the softmax of logits.",
        ),
        ("item,cat,dog\nx,.5,.4\n", "has probabilities that sum to 0.9 in line 2. Each row must sum to 1."),
        ("item,cat\nx,1\n", "has one class (cat). Two or more columns, each named for a class, are needed."),
        (
            "item,cat,dog\nx,1,0\ny,1,0\nx,0,1\n",
            "has item 'x' in line 2 and in line 4. One row an item is allowed.",
        ),
        ("item,cat,dog\n,1,0\n", "has no item in line 2. Each row needs one."),
        (
            "item,fold,cat,dog\nx,0,1,0\ny,first,1,0\n",
            "has fold 'first' in line 3. Whole numbers from 0 to 999,999 are allowed.",
        ),
        ("item,fold,cat,dog\nx,,1,0\ny,1,1,0\n", "has no fold in line 2. Whole numbers from 0 to 999,999 are allowed."),
        (
            "item,fold,cat,dog\nx,1e30,1,0\ny,1,1,0\n",
            "has fold '1e30' in line 2. Whole numbers from 0 to 999,999 are allowed.",
        ),
        (
            "item,fold,cat,dog\nx,-1,1,0\ny,1,1,0\n",
            "has fold '-1' in line 2. Whole numbers from 0 to 999,999 are allowed.",
        ),
        (
            "item,fold,cat,dog\nx,3,1,0\ny,3,1,0\n",
            "has the one fold 3: held out all at once, no item is left to learn from. Two or more folds are needed; if "
            "the model never saw any of these items, leave the column out and say --held-out.",
        ),
    ],
)
def test_predictions_that_cannot_be_used_are_refused_by_line_value_and_what_is_allowed(
    text: str, says: str, tmp_path: Path
) -> None:
    assert refused(modelfile.predictions, write(tmp_path / "p.csv", text)) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("item,a,b\nx,1,0\ny,0,0\n", "has a vector of zeros in line 3. Leave such rows out."),
        ("item,a,b\nx,1,nan\n", "has nothing or NaN in line 2, column 'b'. A finite number is needed."),
        ("item,a,b\nx,1,1e40\n", "has inf in line 2, column 'b'. A finite number is needed."),
        ("item,a,b\nx,1,0\ny,1,0,1\n", "has 4 fields in line 3. The header has 3."),
        (
            "item\nx\n",
            "has no values. Columns of numbers, or in Parquet one list column 'embedding', are needed.",
        ),
        (
            "item,a,label\nx,1,0\n",
            "has the column 'label' among the values. A vector that holds the label knows the answer: leave that "
            "column out.",
        ),
    ],
)
def test_embeddings_that_cannot_be_used_are_refused(text: str, says: str, tmp_path: Path) -> None:
    assert refused(modelfile.embeddings, write(tmp_path / "e.csv", text)) == says


def test_a_list_of_another_length_in_parquet_is_named_by_its_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "e.parquet", item=["x", "y", "z"], embedding=[[1.0, 2.0], [1.0, 2.0], [1.0]])
    assert refused(modelfile.embeddings, path) == "has 1 numbers in row 2 (the first is 0), 2 in others."
    path = parquet(tmp_path / "f.parquet", item=["x", "y"], embedding=[[1.0, 2.0], None])
    assert refused(modelfile.embeddings, path) == (
        "has no 'embedding' in row 1 (the first is 0). A list of numbers is needed."
    )


def test_nan_in_a_list_is_named_by_row_and_place(tmp_path: Path) -> None:
    path = parquet(tmp_path / "e.parquet", item=["x", "y"], embedding=[[1.0, 2.0], [1.0, float("nan")]])
    assert refused(modelfile.embeddings, path) == (
        "has nothing or NaN in row 1 (the first is 0), value 1. A finite number is needed."
    )


def test_text_where_a_class_belongs_is_refused_in_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "p.parquet", item=["x"], cat=["much"], dog=[0.5])
    assert refused(modelfile.predictions, path) == (
        "has text in column 'cat'. Only classes may stand beside item, path and fold."
    )


def test_a_torn_parquet_file_and_one_of_another_encoding_are_sentences(tmp_path: Path) -> None:
    path = parquet(tmp_path / "p.parquet", item=["x"], cat=[1.0], dog=[0.0])
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(modelfile.predictions, path).startswith("cannot be read (")
    (tmp_path / "p.csv").write_bytes("item,chat,chien\né,1,0\n".encode("latin-1"))
    assert refused(modelfile.predictions, tmp_path / "p.csv") == "is not UTF-8 text. Save it as UTF-8."


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"items": ["x"]}, "lacks the array 'probabilities'. Needed are: "),
        ({"probabilities": [[1.0, 0.0]], "classes": ["a", "b"]}, "lacks the array 'items' or 'paths'. Needed are: "),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "b"], "items": ["x", "y"]},
            "has 'probabilities' as (1, 2) of float64 beside 2 items. Numbers, one row an item, are needed.",
        ),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "b", "c"], "items": ["x"]},
            "has 2 columns of probabilities for 3 classes (3 different). One different class a column is needed.",
        ),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "a"], "items": ["x"]},
            "has 2 columns of probabilities for 2 classes (1 different). One different class a column is needed.",
        ),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "b"], "items": [["x"]]},
            "has 'items' as (1, 1) of <U1. One text each is needed.",
        ),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "b"], "items": ["x"], "folds": [0, 1]},
            "has 'folds' as (2,) for 1 items. One an item is needed.",
        ),
        (
            {"probabilities": [[1.0, 0.0]], "classes": ["a", "b"], "items": np.array(["x"], dtype=object)},
            "cannot be read as npz (it holds Python objects; save names as text: np.array(items, dtype=str)).",
        ),
    ],
)
def test_npz_arrays_that_do_not_fit_each_other_are_refused(arrays: dict[str, Any], says: str, tmp_path: Path) -> None:
    assert refused(modelfile.predictions, npz(tmp_path / "p.npz", **arrays)).startswith(says)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x80\x04K\x01.", b"PK\x03\x04 torn"])
def test_what_is_no_npz_is_a_sentence_and_never_unpickled(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    assert refused(modelfile.predictions, tmp_path / "p.npz").startswith("cannot be read as npz (")


def test_an_array_that_claims_to_be_larger_than_memory_is_a_sentence(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000), }"
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as file:
        file.writestr("embeddings.npy", body)
    assert refused(modelfile.embeddings, tmp_path / "e.npz") == "does not fit into memory. Reduce its width."


def test_a_file_that_is_absent_or_of_an_unknown_kind_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"No file '.*p.csv'. Name one: assay audit --predictions FILE"):
        modelfile.predictions(tmp_path / "p.csv")
    with pytest.raises(Mistake, match=r"has the ending '.pkl'. Allowed are: .parquet, .pq, .csv, .tsv, .npz."):
        modelfile.embeddings(write(tmp_path / "e.pkl", "x"))
