"""Do images become vectors that know what they show, and does every way to fail end in one sentence?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from torchvision.models import get_model, get_model_weights

from tasks import store
from tasks.modalities import modality
from tasks.modalities.image import embed
from tasks.modalities.image.patches import Patches, Pixels, common_side
from tasks.model import Mistake
from tasks.unit_vectors import unit_views

OPTIONS = {"weights": None, "device": "cpu", "threads": 1, "batch": 4, "seed": 0}


def digits(count: int) -> list[Pixels]:
    grey = (load_digits().images[:count] * 255 / 16).round().astype(np.uint8)
    return [np.repeat(image[..., None], 3, axis=2) for image in grey]


def coloured(count: int, side: int = 20) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(count)]


def test_five_nearest_neighbours_read_digits() -> None:
    images = digits(1797)
    embedder = Patches()
    unit, reasons = unit_views(embedder.transform(images, embedder.fit(images[:600])))
    joint_ND = np.concatenate(list(unit.values()), axis=1)
    assert set(reasons) == {None}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)  # the digits come writer by writer
    assert cross_val_score(KNeighborsClassifier(5), joint_ND, load_digits().target, cv=folds).mean() > 0.98


def test_neither_order_nor_batch_changes_a_vector() -> None:
    images = coloured(70)
    embedder = Patches()
    state = embedder.fit(images)
    whole = embedder.transform(images, state)
    for name, x_ND in embedder.transform(images[::-1], state).items():
        np.testing.assert_allclose(x_ND[::-1], whole[name], rtol=0, atol=1e-4)
    for name, x_ND in embedder.transform(images[68:69], state).items():
        np.testing.assert_allclose(x_ND[0], whole[name][68], rtol=0, atol=1e-4)


def test_fitting_twice_gives_the_same_state_and_another_seed_another_one() -> None:
    images = coloured(12)
    first, again, other = Patches(), Patches(), Patches(seed=1)
    assert first.fingerprint(first.fit(images)) == again.fingerprint(again.fit(images))
    assert first.fingerprint(first.fit(images)) != other.fingerprint(other.fit(images))


def test_a_state_survives_the_disk_without_pickle(tmp_path: Path) -> None:
    images = coloured(12)
    embedder = Patches()
    state = embedder.fit(images)
    store.write_arrays(tmp_path / "state.npz", state)
    read = store.read_arrays(tmp_path / "state.npz")
    assert embedder.fingerprint(read) == embedder.fingerprint(state)
    assert embedder.views(read) == embedder.views(state)
    for name, x_ND in embedder.transform(images, read).items():
        np.testing.assert_array_equal(x_ND, embedder.transform(images, state)[name])


@pytest.mark.parametrize(("edges", "side"), [([8, 8], 16), ([16], 16), ([28, 28, 900], 32), ([48], 48), ([640], 48)])
def test_images_are_resized_to_the_first_square_not_below_the_median(edges: list[float], side: int) -> None:
    assert common_side(edges) == side


def test_colour_is_kept_if_any_image_of_the_fit_set_has_some() -> None:
    grey, red = np.full((20, 20, 3), 90, np.uint8), np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    assert not Patches().fit([grey, grey + 50])["colour"][0]
    assert Patches().fit([grey, red])["colour"][0]


def test_images_of_any_size_share_one_width() -> None:
    embedder = Patches()
    state = embedder.fit(coloured(12))
    mixed = [np.zeros((1, 1, 3), np.uint8), np.full((300, 7, 3), 255, np.uint8), *coloured(1)]
    assert {name: x.shape for name, x in embedder.transform(mixed, state).items()} == {
        name: (3, width) for name, width in embedder.views(state).items()
    }
    assert {name: x.shape for name, x in embedder.transform([], state).items()} == {
        name: (0, width) for name, width in embedder.views(state).items()
    }


def test_one_image_alone_has_a_direction() -> None:
    embedder, image = Patches(), coloured(1)
    unit, reasons = unit_views(embedder.transform(image, embedder.fit(image)))
    assert reasons == [None]
    for x_ND in unit.values():
        np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-6)


def test_black_images_alone_have_no_direction() -> None:
    embedder, black = Patches(), [np.zeros((16, 16, 3), np.uint8)] * 3
    _, reasons = unit_views(embedder.transform(black, embedder.fit(black)))
    assert reasons == ["is all zeros"] * 3


def test_flat_images_are_told_apart_by_their_brightness() -> None:
    embedder, flat = Patches(), [np.full((16, 16, 3), level, np.uint8) for level in (10, 100, 250)]
    unit, reasons = unit_views(embedder.transform(flat, embedder.fit(flat)))
    assert reasons == [None, None, None]
    assert list(unit) == ["pixels"]
    np.testing.assert_allclose(unit["pixels"][:, 0] * np.sign(unit["pixels"][2, 0]), [-1, -1, 1], atol=1e-6)


def test_a_network_is_read_from_a_local_state_dict_and_loses_its_last_layer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = get_model("resnet18", weights=None, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    embedder = embed.EMBEDDERS["resnet18"](**{**OPTIONS, "weights": tmp_path / "mine.pt"})
    images = coloured(5, side=40)
    (x_ND,) = embedder.transform(images, embedder.fit([])).values()

    prepare = get_model_weights("resnet18").DEFAULT.transforms()
    network.fc = torch.nn.Identity()
    with torch.inference_mode():
        wanted = network.eval()(torch.stack([prepare(torch.from_numpy(i).permute(2, 0, 1)) for i in images])).numpy()
    assert embedder.views({}) == {"resnet18": 512}
    assert x_ND.dtype == np.float32
    np.testing.assert_allclose(x_ND, wanted, atol=1e-4)
    np.testing.assert_allclose(embedder.transform(images[::-1], {})["resnet18"][::-1], x_ND, atol=1e-5)
    assert embedder.transform([], {})["resnet18"].shape == (0, 512)


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    prints = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        torch.save(get_model("resnet18", weights=None).state_dict(), tmp_path / "w.pt")
        prints.append(embed.EMBEDDERS["resnet18"](**{**OPTIONS, "weights": tmp_path / "w.pt"}).fingerprint({}))
    assert prints[0] == prints[1] != prints[2]


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save(get_model("mobilenet_v3_large", weights=None).state_dict(), tmp_path / "w.pt")
    with pytest.raises(Mistake, match=r"Weights '.*w.pt' do not fit model 'resnet18': .*Change embed.weights"):
        embed.EMBEDDERS["resnet18"](**{**OPTIONS, "weights": tmp_path / "w.pt"})


@pytest.mark.parametrize("content", [None, b"", b"no weights at all", b"\x80\x02cos\nsystem\n."])
def test_weights_that_cannot_be_read_name_the_ways_out(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(Mistake, match=r"w.pt' of model 'resnet18' cannot be read .*set embed.model: patches"):
        embed.EMBEDDERS["resnet18"](**{**OPTIONS, "weights": tmp_path / "w.pt"})


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(Mistake, match=r"w.pt' of model 'resnet18' are no state_dict"):
        embed.EMBEDDERS["resnet18"](**{**OPTIONS, "weights": tmp_path / "w.pt"})


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch cache, and a proxy on a port where nobody listens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return tmp_path / "hub" / "checkpoints"


def test_a_named_model_without_weights_is_a_mistake_and_auto_becomes_patches(no_network: Path) -> None:
    with pytest.raises(
        Mistake, match=r"weights of model 'vit_b_16' cannot be fetched .*Put https.* set embed.model: pat"
    ):
        embed.EMBEDDERS["vit_b_16"](**OPTIONS)
    assert embed.resolve_auto(seconds=5) == "patches"
    assert not no_network.exists()


def test_auto_becomes_a_network_whose_weights_are_at_hand(no_network: Path) -> None:
    no_network.mkdir(parents=True)
    (no_network / get_model_weights("resnet18").DEFAULT.url.rpartition("/")[2]).write_bytes(b"weights")
    assert embed.resolve_auto(seconds=5) == "resnet18"


def test_a_download_is_kept_only_if_its_name_fits_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "served").write_bytes(b"abc")  # sha256 ba7816bf...
    url = (tmp_path / "served").as_uri()
    assert embed.fetch(url, tmp_path / "net-deadbeef.pth", seconds=5) == "what came has sha256 ba7816bf, not deadbeef"
    assert not (tmp_path / "net-deadbeef.pth").exists()
    assert embed.fetch(url, tmp_path / "cache" / "net-ba7816bf.pth", seconds=5) is None
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["net-ba7816bf.pth"]


def test_cuda_is_refused_where_there_is_none(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(Mistake, match=r"Param embed\.device is 'cuda', and no CUDA device can be used"):
        embed.EMBEDDERS["resnet18"](**{**OPTIONS, "device": "cuda"})


def test_every_named_network_is_one_of_torchvisions() -> None:
    for name in embed.TORCHVISION:
        assert get_model_weights(name).DEFAULT.url.startswith("https://")


def test_the_modality_shows_its_embedders() -> None:
    assert modality("image").EMBEDDERS is embed.EMBEDDERS
