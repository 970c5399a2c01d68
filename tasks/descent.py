"""Who is near whom, nearly: and how does the descent start in a second instead of half a minute?

The one home of pynndescent (Dong, Moses, Li 2011) and numba. pynndescent 0.7 compiles its descent anew in every process
(20 CPU seconds), because numba keeps no machine code that holds an address: that of the distance, which comes in as an
argument, and that of the function that tells the number of threads. Here both are fixed before compiling, as it does
itself with the distance in its later steps. The source is pynndescent's own, so the bits are too (a test compares).

Cache   .assay/cache/relate/<key>: the machine code, with a sha256 of each of its files; the key is a hash over the
        versions, the place of this module, the processor and the number of threads. There is one piece: an older is
        removed. What is torn or changed is compiled again, and never run.
Covered: a crash anywhere leaves the whole piece or none. Not covered: another process that writes into the piece.
"""

# N items, D values of a vector, M neighbours

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray
from pynndescent import NNDescent, pynndescent_
from pynndescent.distances import squared_euclidean

from . import durable, store
from .model import Mistake
from .store import FloatArray

KNOWN = "0.7."  # releases of pynndescent whose descent we can fix; any other compiles its own, as it always did
SUMS = "sha256.json"  # beside the machine code, written last
NAMED = ("init_graph", "rp_tree_init", "leaf_array", "low_memory", "verbose", "kernel")  # what it is handed by name


def neighbours(
    x_ND: FloatArray, wanted: int, *, seed: int, threads: int, cache: Path | None = None
) -> NDArray[np.int32]:
    """The `wanted` nearest rows of each row, itself among them, nearly: (N, M), -1 where one was not found.

    `cache` is the folder of the compiled piece; without one the descent is compiled for this process alone.
    """
    threads = min(threads, numba.config.NUMBA_NUM_THREADS)
    with kept(cache, threads):
        index = NNDescent(x_ND, metric="euclidean", n_neighbors=wanted, random_state=seed, n_jobs=threads)
    return np.asarray(index.neighbor_graph[0], dtype=np.int32)


@contextmanager
def kept(cache: Path | None, threads: int) -> Iterator[None]:
    """While this lasts pynndescent's dense descent is the compiled piece in `cache`, which is made if it is absent."""
    if cache is None or not version("pynndescent").startswith(KNOWN):
        yield
        return
    piece = cache / key(threads)
    if is_whole(piece):
        with in_its_place(piece, threads):
            yield
        return
    shutil.rmtree(cache, ignore_errors=True)  # torn, or of other versions
    cache.mkdir(parents=True)
    with durable.fresh_folder(piece) as fresh:
        with in_its_place(fresh, threads):
            yield
        store.write_json(fresh / SUMS, sums(fresh))


def key(threads: int) -> str:
    """What the machine code follows from."""
    releases = {name: version(name) for name in ("numba", "llvmlite", "pynndescent", "numpy")}
    processor = [llvmlite.binding.get_host_cpu_name(), sorted(llvmlite.binding.get_host_cpu_features().items())]
    parts = [releases, str(Path(__file__).resolve()), store.sha256_file(Path(__file__)), processor, threads]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def sums(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file of a piece, but of this list itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(folder).as_posix(): store.sha256_file(path) for path in files}


def is_whole(piece: Path) -> bool:
    """Whether every file of the piece is what was written: machine code is not run on trust."""
    try:
        return bool(store.read_json(piece / SUMS) == sums(piece))
    except Mistake:
        return False


@contextmanager
def in_its_place(folder: Path, threads: int) -> Iterator[None]:
    """pynndescent calls the descent whose machine code is in `folder`, or is put there, where it would call its own."""
    own = pynndescent_.nn_descent
    compiled = _compiled(folder, threads)

    def descent(*first: Any, **named: Any) -> Any:
        data, n_neighbors, rng_state, max_candidates, dist, n_iters, delta = first
        assert dist is squared_euclidean and named.keys() == set(NAMED), (dist, sorted(named))
        others = [named[name] for name in NAMED]
        return compiled(data, n_neighbors, rng_state, max_candidates, n_iters, delta, *others)

    pynndescent_.nn_descent = descent
    try:
        yield
    finally:
        pynndescent_.nn_descent = own


def _compiled(folder: Path, threads: int) -> Callable[..., Any]:
    """The descent with its distance and its number of threads fixed; numba looks for the machine code in `folder`."""
    fixed = ModuleType("numba with its number of threads")
    fixed.get_num_threads = numba.njit(lambda: threads)  # type: ignore[attr-defined]
    names = {**vars(pynndescent_), "numba": fixed, "apart": apart}
    for name in ("nn_descent_internal", "nn_descent"):  # the second calls the first
        theirs = getattr(pynndescent_, name).py_func
        names[name] = numba.njit(FunctionType(theirs.__code__, names, name, theirs.__defaults__))
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        made: Callable[..., Any] = numba.njit(cache=True)(FunctionType(_descent.__code__, names, "descent"))
    finally:
        numba.config.CACHE_DIR = before
    return made


def apart(x, y):  # type: ignore[no-untyped-def]
    """The squared distance, by a name that is no address; numba wants no annotations."""
    raise AssertionError("only compiled code calls this")


@overload(apart)
def _apart(x, y):  # type: ignore[no-untyped-def]
    return lambda x, y: squared_euclidean(x, y)


def _descent(  # type: ignore[no-untyped-def]
    data, n_neighbors, rng_state, max_candidates, n_iters, delta, init_graph, trees, leaves, low_memory, verbose, kernel
):
    return nn_descent(  # type: ignore[name-defined]  # noqa: F821 - its names are those of _compiled
        data,
        n_neighbors,
        rng_state,
        max_candidates,
        apart,
        n_iters,
        delta,
        init_graph,
        trees,
        leaves,
        low_memory,
        verbose,
        kernel,
    )
