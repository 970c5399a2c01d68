"""Is the kept descent pynndescent's own, to the bit, and is nothing run that is not what was written?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

CHILD = """
import sys; from pathlib import Path
import numba.core.event
import numpy as np
from tasks import relate
compiled = []
class Listener(numba.core.event.Listener):
    def on_start(self, event): compiled.append(event.data["dispatcher"])
    def on_end(self, event): pass
numba.core.event.register("numba:compile", Listener())
x_ND = np.load(sys.argv[1])
cache = Path(sys.argv[2]) if len(sys.argv) > 3 else None
neighbours, distances = relate.approximate_neighbours(x_ND, 10, seed=0, threads=2, cache=cache)
np.savez(sys.argv[-1], neighbours=neighbours, distances=distances, compiled=len(compiled))
"""


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 unit vectors about 20 centres."""
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=(20, 64))[rng.integers(0, 20, 1500)] + rng.normal(size=(1500, 64))
    path = tmp_path_factory.mktemp("descent") / "x.npy"
    np.save(path, (x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).astype(np.float32))
    return path


def graph(vectors: Path, *cache: Path) -> tuple[bytes, int]:
    """The bytes of the graph that a fresh process makes, and how many functions it compiled."""
    result = vectors.with_name("graph.npz")
    command = [sys.executable, "-P", "-c", CHILD, str(vectors), *map(str, cache), str(result)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "error::numba.NumbaWarning"})
    with np.load(result) as made:
        return made["neighbours"].tobytes() + made["distances"].tobytes(), int(made["compiled"])


def test_the_kept_descent_gives_the_bits_of_pynndescents_own_and_compiles_nothing(
    vectors: Path, tmp_path: Path
) -> None:
    from tasks import descent

    own, much = graph(vectors)
    first, _ = graph(vectors, tmp_path / "relate")
    (piece,) = (tmp_path / "relate").iterdir()
    second, little = graph(vectors, tmp_path / "relate")
    assert first == own and second == own
    assert little < much / 4, (little, much)
    assert descent.is_whole(piece) and not descent.is_whole(tmp_path)

    code = next(piece.rglob("*.nbc"))  # a flipped bit, as of a disk that rots
    content = code.read_bytes()
    code.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    assert not descent.is_whole(piece)
    with descent.kept(tmp_path / "relate", 2):
        assert not code.exists(), "it would be run"


def test_a_piece_of_other_versions_goes_when_a_new_one_comes(tmp_path: Path) -> None:
    from tasks import descent

    (tmp_path / "relate" / "older").mkdir(parents=True)
    with descent.kept(tmp_path / "relate", 2):
        pass
    assert [path.name for path in (tmp_path / "relate").iterdir()] == [descent.key(2)]


def test_another_number_of_threads_is_another_piece() -> None:
    from tasks import descent

    assert descent.key(1) != descent.key(2)


def test_without_a_list_of_sums_or_with_a_torn_one_nothing_is_whole(tmp_path: Path) -> None:
    from tasks import descent

    (tmp_path / "code").write_bytes(b"machine code")
    assert not descent.is_whole(tmp_path)
    (tmp_path / descent.SUMS).write_text("{")
    assert not descent.is_whole(tmp_path)
