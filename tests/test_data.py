"""Pixels: factors render what they say, bytes are fixed, binarisation is unbiased, missing or damaged data are told."""

import functools
import gzip
import io
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from marks import needs_data
from PIL import Image

from common import data
from common.data import cache, packs, sources, tfds_sets
from common.data.binarise import own_draw
from common.data.embedded import SETS, english
from common.data.images import Images
from common.data.needs import needs
from common.errors import UserError

# The embedded sets are part of the committed results: their bytes must not drift with a library or a machine.
FINGERPRINTS = {
    "digits": "662c47beec4cd1d9",
    "faces64": "db7674df159936e6",
    "rooms32": "51cda9858484d293",
    "rooms64": "37637afc357fec57",
    "sprites": "b7b6daffe0be65e8",
    "sprites32": "fcb17fdccf4e9593",
}


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data, no built sets, no network: an empty cache and home."""
    for variable in ("REPRO_CACHE", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.delenv("REPRO_DATA", raising=False)
    monkeypatch.setenv("REPRO_OFFLINE", "1")
    return tmp_path


@functools.lru_cache(maxsize=1)
def embedded(name):
    return data.load(name)


def grid(name, **chosen):
    """Images [one axis for each factor, H, W, C], int32, of the part of the full grid with the chosen factor values."""
    images = embedded(name)
    factors = np.concatenate([images.train_factors, images.test_factors])
    rows = np.flatnonzero(
        np.all([np.isin(factors[:, images.factor_names.index(f)], v) for f, v in chosen.items()], axis=0)
    )
    rows = rows[np.lexsort(factors[rows].T[::-1])]
    sizes = [len(set(column)) for column in factors[rows].T]
    split = len(images.train)
    pixels = [images.train[row] if row < split else images.test[row - split] for row in rows]
    return np.stack(pixels).astype(np.int32).reshape(*sizes, *images.shape)


@pytest.mark.parametrize("name", sorted(SETS))
def test_embedded_sets_are_the_same_bytes_everywhere(name):
    """Fixed fingerprint; with factors: the full grid, all images different, a tenth held out, no value held out."""
    images = embedded(name)
    assert images.fingerprint == FINGERPRINTS[name]
    assert images.stand_in and images.source
    count = len(images.train) + len(images.test)
    assert len({image.tobytes() for part in (images.train, images.test) for image in part}) == count
    if images.factor_names:
        sizes = images.train_factors.max(axis=0) + 1
        cells = np.ravel_multi_index(np.concatenate([images.train_factors, images.test_factors]).T, sizes)
        assert np.array_equal(np.sort(cells), np.arange(np.prod(sizes)))
        assert len(images.test) * 10 == count
        for column, size in enumerate(sizes):
            assert set(images.train_factors[:, column]) == set(images.test_factors[:, column]) == set(range(size))


def test_fingerprint_sees_every_pixel_label_and_the_order():
    images = data.load("digits")
    changed = images.train.copy()
    changed[700, 14, 14, 0] ^= 1
    relabelled = images.test_labels.copy()
    relabelled[0] += 1
    prints = {
        images.fingerprint,
        Images("a", changed, images.test, images.train_labels, images.test_labels).fingerprint,
        Images("b", images.train, images.test, images.train_labels, relabelled).fingerprint,
        Images("c", images.train[::-1], images.test, images.train_labels, images.test_labels).fingerprint,
    }
    assert len(prints) == 4
    with pytest.raises(ValueError, match="read-only"):
        images.train[0] = 0


def test_digits_keep_the_small_images():
    """Averaging the enlarged image back to 8x8 gives scikit-learn's image; no blank, no dimmed class."""
    from sklearn.datasets import load_digits

    small = load_digits().images[:1500].reshape(1500, -1)
    back = data.load("digits").train[:, 1:27].reshape(1500, 26, 28)
    coarse = np.stack([np.asarray(Image.fromarray(x).resize((8, 8), Image.Resampling.BOX)) for x in back])
    similar = [np.corrcoef(a, b)[0, 1] for a, b in zip(small, coarse.reshape(1500, -1), strict=True)]
    assert min(similar) > 0.85


@pytest.mark.parametrize(("name", "step"), [("sprites", 2), ("sprites32", 1)])
def test_sprites_move_by_their_factors(name, step):
    """x and y shift the centre of mass by exactly `step` pixels and nothing else; scale grows the area."""
    assert embedded(name).factor_names == ("shape", "scale", "orientation", "x", "y")
    some = grid(name, scale=(0, 5), orientation=(0, 4))[..., 0]  # shape, scale, orientation, x, y, H, W
    mass = some.sum(axis=(-2, -1))
    line = np.arange(some.shape[-1])
    across = (some.sum(axis=-2) * line).sum(axis=-1) / mass
    down = (some.sum(axis=-1) * line).sum(axis=-1) / mass
    np.testing.assert_allclose(np.diff(across, axis=3), step, atol=1e-9)
    np.testing.assert_allclose(np.diff(across, axis=4), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(down, axis=4), step, atol=1e-9)
    assert np.all(mass == mass[..., :1, :1])  # never cut by the border
    area = grid(name, x=8, y=8).sum(axis=(3, 4, 5, 6, 7))
    assert np.all(np.diff(area, axis=1) > 0)


def test_sprite_orientation_turns_the_ellipse():
    """The long axis of the ellipse, from second moments, lies at 9 degrees times the factor (within 3 degrees)."""
    for turn, image in enumerate(grid("sprites", shape=1, scale=5, x=8, y=8).squeeze()):
        y, x = np.nonzero(image)
        covariance = np.cov(x, y)
        angle = np.degrees(0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1]))
        assert abs(angle - 9 * turn) < 3


def test_room_factors_change_what_they_name():
    one = {"floor_hue": 0, "wall_hue": 0, "object_hue": 0, "shape": 0, "size": 1, "view": 4}

    def changed(factor, values, **also):
        """[.., 32, 32]: how much each pixel differs between the factor's two values."""
        some = grid("rooms32", **{**one, **also, factor: values})
        axis = list(one).index(factor)
        return np.abs(np.diff(some, axis=axis)).sum(axis=-1).squeeze()

    floor, wall = changed("floor_hue", (0, 1)), changed("wall_hue", (0, 1))
    assert floor[-1].all() and not floor[0].any()
    assert wall[0].all() and not wall[-1].any()
    thing = changed("object_hue", (0, 2), shape=range(3), size=range(4), view=range(10))  # shape, size, view, H, W
    area = thing.sum(axis=(-2, -1))
    assert np.all(np.diff(area, axis=1) > 0)
    centre = (thing.sum(axis=-2) * np.arange(32)).sum(axis=-1) / area
    assert np.all(np.diff(centre, axis=-1) < 0)  # the camera goes right, the object left


def test_face_factors_change_what_they_name():
    one = dict.fromkeys(("skin", "hair_colour", "background", "hair_length", "glasses", "smile", "pose"), 0)
    one["pose"] = 5

    def pictures_of(factor, **also):
        return grid("faces64", **{**one, **also, factor: range(10)}).squeeze()

    assert np.all(np.diff(pictures_of("skin")[:, 28:40, 24:40].mean(axis=(1, 2, 3))) < 0)  # from light to dark
    differ = {f: np.abs(np.diff(pictures_of(f), axis=0)).sum(axis=-1) > 0 for f in one if f != "pose"}
    assert differ["background"][:, 0, 0].all() and not differ["background"][:, 36, 32].any()
    assert differ["hair_colour"][:, 6, 32].all() and not differ["hair_colour"][:, 40:].any()
    assert differ["glasses"][:, 24:36].any() and not differ["glasses"][:, 40:].any()
    assert not differ["smile"][:, :32].any() and differ["smile"][:, 40:55].any(axis=(1, 2)).all()
    assert differ["hair_length"].any(axis=(1, 2)).all() and not differ["hair_length"][:, 12:50, 20:44].any()
    glasses = np.abs(np.diff(pictures_of("pose", glasses=(0, 1)), axis=0)).sum(axis=(0, 4)) > 0  # pose, H, W
    centre = (glasses.sum(axis=1) * np.arange(64)).sum(axis=1) / glasses.sum(axis=(1, 2))
    assert np.all(np.diff(centre) > 0)  # the face turns from left to right


def test_english_is_a_page_of_ascii():
    text = english()
    assert text.isascii() and 2000 < len(text) < 8000
    assert len(set(text)) > 40 and max(map(len, text.splitlines())) <= 120


def test_own_draw_is_unbiased():
    """A ramp of all 256 grey values, 4,000 draws: each mean within 4.5 standard errors, 0 and 255 exact."""
    ramp = np.arange(256, dtype=np.uint8)
    mean = np.mean([own_draw(ramp[None], seed)[0] for seed in range(4000)], axis=0)
    p = ramp / 255
    assert np.all(np.abs(mean - p) <= 4.5 * np.sqrt(p * (1 - p) / 4000))
    assert mean[0] == 0 and mean[255] == 1


def test_own_draw_pixels_are_independent():
    """Neighbouring pixels of a grey image, and the same pixel under two seeds: correlation 0 within 4.5 / sqrt(n)."""
    grey = np.full((1, 200, 200), 128, np.uint8)
    one, two = (own_draw(grey, seed)[0].astype(float) for seed in (1, 2))
    for a, b in ((one[:, 1:], one[:, :-1]), (one[1:], one[:-1]), (one, two)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / np.sqrt(a.size)


def test_own_draw_does_not_depend_on_order_batch_or_held_out_class():
    images = data.load("digits")
    drawn = own_draw(images.train, seed=3)
    order = np.random.default_rng(0).permutation(len(drawn))
    assert np.array_equal(own_draw(images.train[order], 3), drawn[order])
    assert np.array_equal(np.concatenate([own_draw(images.train[:7], 3), own_draw(images.train[7:], 3)]), drawn)
    held = images.without_class(4)
    assert np.array_equal(own_draw(held.train, 3), drawn[images.train_labels != 4])
    assert not np.array_equal(own_draw(images.train, 4), drawn)
    with pytest.raises(TypeError, match="uint8"):
        own_draw(images.train / 255, 3)


def test_own_draw_bits_are_fixed():
    """The same bits for everybody, in every version: bits of a grey ramp under seed 1."""
    assert np.packbits(own_draw(np.arange(40, 168, dtype=np.uint8)[None], 1)).tobytes().hex() == OWN_DRAW_BITS


OWN_DRAW_BITS = "115212704295013200273a0075ff15b2"


def test_without_class_removes_it_from_training_only():
    images = data.load("digits")
    held = images.without_class(7)
    keep = images.train_labels != 7
    assert np.array_equal(held.train, images.train[keep]) and np.array_equal(
        held.train_labels, images.train_labels[keep]
    )
    assert np.array_equal(held.test, images.test) and np.array_equal(held.test_labels, images.test_labels)
    assert held.fingerprint != images.fingerprint
    with pytest.raises(UserError, match="no class 11"):
        images.without_class(11)
    with pytest.raises(UserError, match="no labels"):
        data.load("sprites32").without_class(0)


def test_unknown_and_missing_sets_are_one_clear_line(nowhere):
    with pytest.raises(UserError, match="no data set 'mnits'; choose one of"):
        data.load("mnits")
    for name in sources.NAMES:
        with pytest.raises(UserError, match=f"'{name}' not found") as error:
            data.load(name, str(nowhere))
        line = str(error.value)
        assert "\n" not in line and str(nowhere) in line and "--data_dir" in line
    with pytest.raises(UserError, match="no data folder"):
        data.load("mnist", str(nowhere / "absent"))


def test_embedded_sets_load_without_tensorflow():
    code = "import sys; from common import data; data.load('sprites32'); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(os.path.dirname(__file__))).returncode == 0


def small_set(name="small"):
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 256, (20, 4, 4, 1), np.uint8), rng.integers(0, 256, (5, 4, 4, 1), np.uint8)
    factors = np.arange(20)[:, None]
    return Images(name, train, test, np.arange(20) % 3, np.arange(5) % 3, factors, factors[:5], ("a",), "made", "tiny")


def test_cache_returns_what_was_put_in_and_mends_damage(nowhere):
    made = []

    def make():
        made.append(1)
        return small_set()

    first, second = cache.cached("key", make), cache.cached("key", make)
    assert len(made) == 1
    for field in ("name", "source", "stand_in", "factor_names", "fingerprint"):
        assert getattr(first, field) == getattr(second, field)
    path = cache.folder() / "key.npz"
    whole_file = path.read_bytes()
    spot = whole_file.index(first.train.tobytes())
    changed = whole_file[:spot] + bytes([whole_file[spot] ^ 1]) + whole_file[spot + 1 :]
    bare = io.BytesIO()
    np.save(bare, first.train)
    for times, damage in enumerate((whole_file[:-100], b"", b"not a zip file", changed, bare.getvalue()), start=2):
        path.write_bytes(damage)
        with pytest.warns(UserWarning, match="damaged"):
            assert cache.cached("key", make).fingerprint == first.fingerprint
        assert len(made) == times and path.read_bytes() == whole_file
    assert not list(cache.folder().glob("*.tmp"))


def test_cache_keeps_the_old_file_when_writing_fails(nowhere, monkeypatch):
    cache.cached("key", small_set)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="No space left on device; set REPRO_CACHE"):
        cache.cached("other", small_set)
    assert sorted(path.name for path in cache.folder().glob("*[!k]")) == ["key.npz"]


def test_two_processes_make_a_set_once(nowhere):
    """Both ask at once; the second waits for the first and reads its file."""
    log = nowhere / "log"
    code = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(__file__)!r})
from common.data import cache
from test_data import small_set
def make():
    open({str(log)!r}, "a").write("made ")
    time.sleep(1)
    return small_set()
print(cache.cached("key", make).fingerprint)
"""
    root = os.path.dirname(os.path.dirname(__file__))
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    outputs = [process.communicate()[0].strip() for process in both]
    assert outputs == [small_set().fingerprint] * 2
    assert log.read_text() == "made "


def pictures(root, names, size=(6, 5), mode="RGB"):
    rng = np.random.default_rng(1)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    arrays = {}
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays[name] = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(arrays[name]).save(path)
    return arrays


def test_folder_keeps_pixels_and_order(tmp_path):
    arrays = pictures(tmp_path, [f"{i:02d}.png" for i in range(20)])
    (tmp_path / ".hidden").write_text("ignored")
    images = data.load(f"folder:{tmp_path}")
    expected = np.stack([arrays[name] for name in sorted(arrays)])
    assert np.array_equal(images.train, expected[:18]) and np.array_equal(images.test, expected[18:])
    assert images.train_labels is None and images.fingerprint == data.load(f"folder:{tmp_path}").fingerprint


def test_folder_takes_classes_from_subfolders_and_splits_each(tmp_path):
    pictures(tmp_path, [f"{c}/{i:02d}.png" for c in ("cat", "dog") for i in range(10)], mode="L")
    images = data.load(f"folder:{tmp_path}")
    assert images.shape == (5, 6, 1)
    assert images.test_labels.tolist() == [0, 1] and np.bincount(images.train_labels).tolist() == [9, 9]


def test_folder_resizes_the_centre_square(tmp_path):
    """A black picture with a white centre square, wider than high: after the cut only white is left."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 255
    for name in ("a.png", "b.jpg"):
        Image.fromarray(picture).save(tmp_path / name, quality=100)
    images = data.load(f"folder:{tmp_path}@16")
    assert images.shape == (16, 16, 3)
    assert images.train.min() == 255 and images.test[:, :, 2:14].min() > 240


def test_folder_mistakes_are_one_clear_line(tmp_path):
    def line(spec, match):
        with pytest.raises(UserError, match=match) as error:
            data.load(f"folder:{spec}")
        assert "\n" not in str(error.value)

    line(tmp_path / "absent", "no folder")
    line("", "no folder")
    line(f"{tmp_path}@²", "no folder")
    line(f"{tmp_path}/\udcff@8", "is not UTF-8; rename the folder")
    line(tmp_path, "no image in")
    pictures(tmp_path, ["a.png"])
    line(tmp_path, "only one image")
    pictures(tmp_path, ["b.png"], size=(7, 7))
    line(tmp_path, r"several sizes \(6x5, 7x7\); give one side")
    line(f"{tmp_path}@0", "side 0")
    (tmp_path / "c.png").write_bytes(b"no picture")
    line(f"{tmp_path}@8", "c.png cannot be read as an image")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    line(f"{tmp_path}@8", "c.png cannot be read as an image")
    (tmp_path / "c.png").unlink()
    (tmp_path / "notes.txt").write_text("hello")
    line(f"{tmp_path}@8", "notes.txt is not a JPEG or PNG image")
    (tmp_path / "notes.txt").unlink()
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(tmp_path / "deep.png")
    line(f"{tmp_path}@8", "more than 8 bits")
    (tmp_path / "deep.png").unlink()
    assert data.load(f"folder:{tmp_path}@8").shape == (8, 8, 3)  # all mended


def test_damaged_pack_is_named(nowhere):
    (nowhere / "fashion_mnist").mkdir()
    file = nowhere / "fashion_mnist" / "fashion_mnist_x_exact.npz"
    for damage in (b"nothing", b""):
        file.write_bytes(damage)
        with pytest.raises(UserError, match="fashion_mnist_x_exact.npz is damaged"):
            data.load("fashion_mnist", str(nowhere))


def jpegs(count):
    """The arrays `jpeg` and `offsets` of a pack of `count` grey JPEG files."""
    file = io.BytesIO()
    Image.fromarray(np.full((109, 89, 3), 90, np.uint8)).save(file, "JPEG")
    stream = np.frombuffer(file.getvalue(), np.uint8)
    return {"jpeg": np.tile(stream, count), "offsets": np.arange(count + 1) * len(stream)}


PACK_FILES = {
    "svhn_cropped": "svhn_crops_x.npz",
    "tiny_imagenet": "tiny_imagenet_x_jpeg.npz",
    "celeb_a": "celeba_x_jpeg.npz",
}


def whole_pack(name):
    """A tiny pack of `name` that loads."""
    if name == "svhn_cropped":
        return {
            "images": np.zeros((20, 32, 32, 3), np.uint8),
            "labels": np.arange(20) % 10,
            "is_test": np.arange(20) % 2,
        }
    if name == "tiny_imagenet":
        return jpegs(20) | {"labels": np.arange(20)}
    return jpegs(20) | {"attributes": np.ones((20, 3), np.int8), "attribute_names": np.array(["a", "b", "c"])}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("svhn_cropped", {"labels": np.arange(19)}),
        ("svhn_cropped", {"is_test": np.arange(19) % 2}),
        ("svhn_cropped", {"images": np.uint8(3)}),
        ("svhn_cropped", {"labels": np.full(20, np.nan)}),
        ("svhn_cropped", {"labels": np.arange(20) - 1}),
        ("svhn_cropped", {"labels": np.zeros((20, 2), int)}),
        ("svhn_cropped", {"is_test": np.ones(20, int)}),
        ("svhn_cropped", {"is_test": np.zeros(20, int)}),
        ("tiny_imagenet", {"labels": np.arange(15)}),
        ("tiny_imagenet", {"offsets": jpegs(20)["offsets"].astype(float)}),
        ("tiny_imagenet", jpegs(9) | {"labels": np.arange(9)}),
        ("celeb_a", {"attributes": np.ones((19, 3), np.int8)}),
        ("celeb_a", {"attribute_names": np.array(["a"])}),
    ],
)
def test_pack_of_wrong_arrays_is_refused(nowhere, name, change):
    np.savez(nowhere / PACK_FILES[name], **whole_pack(name))
    assert len(data.load(name, str(nowhere)).train) in (10, 18)
    np.savez(nowhere / PACK_FILES[name], **whole_pack(name) | change)
    refused(nowhere, name, f"{PACK_FILES[name]} is damaged or not the expected pack of {name}; get it again")


def refused(folder, name, words):
    """Loading `name` from `folder` is refused in one line with these `words`."""
    with pytest.raises(UserError, match=re.escape(words)) as error:
        data.load(name, str(folder))
    assert "\n" not in str(error.value)


def test_bare_array_or_folder_in_place_of_a_pack_is_refused(nowhere):
    file = nowhere / PACK_FILES["svhn_cropped"]
    with file.open("wb") as bare:
        np.save(bare, np.zeros((3, 32, 32, 3), np.uint8))
    refused(nowhere, "svhn_cropped", "svhn_crops_x.npz is damaged or not the expected pack")
    file.unlink()
    file.mkdir()
    refused(nowhere, "svhn_cropped", "svhn_crops_x.npz is damaged or not the expected pack")


@pytest.mark.parametrize("bits", [np.zeros((3, 97), np.uint8), np.zeros((3, 98)), np.zeros(98, np.uint8)])
def test_packed_binary_digits_of_another_kind_are_refused(nowhere, bits):
    np.savez(nowhere / "binarized_mnist_packed.npz", train=bits, valid=bits, test=bits)
    refused(
        nowhere, "binarized_mnist", "binarized_mnist_packed.npz is damaged or not the packed fixed set; get it again"
    )


@pytest.mark.parametrize("info", ["", "garbage", "{}", '{"name": "mnist", "version": "3.0.1"}'])
def test_damaged_built_set_is_refused(nowhere, info):
    built = nowhere / "mnist" / "3.0.1"
    built.mkdir(parents=True)
    (built / "dataset_info.json").write_text(info)
    refused(nowhere, "mnist", "mnist/3.0.1 is damaged or not a built TFDS set of mnist; get it again")


def test_pack_is_read_anew_when_its_bytes_change(nowhere):
    for shade in (10, 20):
        np.savez(nowhere / "kmnist-test-imgs.npz", np.full((3, 28, 28), shade, np.uint8))
        np.savez(nowhere / "kmnist-test-labels.npz", np.arange(3))
        images = data.load("kmnist", str(nowhere))
        assert np.all(images.test == shade) and images.shape == (28, 28, 1) and len(images.train) == 0


def test_what_is_known_of_a_set_is_known_without_making_it(nowhere, monkeypatch):
    """A pack that was read, then another that was not, then the whole set, unread and read."""
    monkeypatch.setenv("REPRO_DATA", str(nowhere))
    assert sources.known("svhn_cropped") == {}
    pack = nowhere / PACK_FILES["svhn_cropped"]
    np.savez(pack, **whole_pack("svhn_cropped"))
    assert sources.known("svhn_cropped") == {}
    read = data.load("svhn_cropped").fingerprint
    assert sources.known("svhn_cropped") == {"fingerprint": read}
    np.savez(pack, **whole_pack("svhn_cropped") | {"images": np.ones((20, 32, 32, 3), np.uint8)})
    assert sources.known("svhn_cropped") == {}
    for file in tfds_sets.ORIGINALS["svhn_cropped"]:
        (nowhere / file).touch()
    assert sources.known("svhn_cropped") == {"stand_in": ""}
    whole = cache.cached("svhn_cropped-tfds", lambda: small_set("svhn_cropped"))
    assert sources.known("svhn_cropped") == {"fingerprint": whole.fingerprint}
    monkeypatch.setenv("REPRO_DATA", str(nowhere / "gone"))
    with pytest.raises(UserError, match="no data folder"):
        sources.known("svhn_cropped")


@pytest.mark.parametrize(("name", "split", "first"), [("mnist", "train", "0"), ("celeb_a", "test", "182638.jpg")])
def test_original_order_undoes_the_order_of_tfds(name, split, first):
    """TFDS's own shuffler, fed with its keys, gives back rows that the restored order names."""
    hashing = pytest.importorskip("tensorflow_datasets.core.hashing")
    count = 50
    keys = (
        [str(row) for row in range(count)] if name == "mnist" else [f"{182638 + row:06d}.jpg" for row in range(count)]
    )
    hasher = hashing.Hasher(split)
    stored = sorted(range(count), key=lambda row: hasher.hash_key(keys[row]))
    assert keys[0] == first and tfds_sets._original_order(name, split, count).tolist() == stored


@pytest.mark.parametrize(
    ("name", "found", "whole"),
    [
        ("celeb_a", (30, 20), "162,770 and 19,962"),
        ("celeb_a_crop118", (162_770, 0), "162,770 and 19,962"),
        ("svhn_cropped", (73_257, 26_000), "73,257 and 26,032"),
        ("mnist", (59_999, 10_000), "60,000 and 10,000"),  # its ORDER_PROOF is of the test labels alone
    ],
)
def test_a_built_set_that_was_cut_short_is_refused_and_not_kept(nowhere, monkeypatch, name, found, whole):
    tfds = pytest.importorskip("tensorflow_datasets")
    built = nowhere / tfds_sets.builder_name(name) / "3.0.1"
    built.mkdir(parents=True)
    (built / "dataset_info.json").touch()
    counts = {s: SimpleNamespace(num_examples=n) for s, n in zip(("train", "test"), found, strict=True)}
    builder = SimpleNamespace(info=SimpleNamespace(splits=counts))
    monkeypatch.setattr(tfds, "builder_from_directory", lambda folder: builder)
    monkeypatch.setattr(tfds_sets, "_read", lambda name, builder, source: small_set(name))
    refused(
        nowhere, name, f"{built} has {found[0]:,} training and {found[1]:,} test images, not the {whole} of {name}; "
        "remove this folder and build the set again"
    )  # fmt: skip
    assert not list(cache.folder().glob("*.npz"))


def test_the_newest_version_of_a_built_set_is_taken(tmp_path):
    for version in ("3.0.2", "3.0.10", "2.9.9"):
        (tmp_path / "mnist" / version).mkdir(parents=True)
        (tmp_path / "mnist" / version / "dataset_info.json").touch()
    assert tfds_sets.find_built("mnist", tmp_path).name == "3.0.10"


def test_needs_speaks_of_the_size_and_the_colour_it_asks_for():
    with pytest.raises(UserError, match="takes colour 64x64 ones: folder:PATH@64 of colour images"):
        needs("digits", side=64, channels=3)
    with pytest.raises(UserError, match="takes grey 28x28 ones: mnist, digits or folder:PATH@28"):
        needs("rooms32")
    with pytest.raises(UserError, match="1500 training and 297 test images; this experiment needs at least 5000"):
        needs("digits", train=5000)


def test_needs_tells_of_missing_labels_only_what_needs_them(nowhere):
    pictures(nowhere / "own", [f"{number}.png" for number in range(20)])
    own = f"folder:{nowhere / 'own'}"
    needs(own, side=None, channels=None, varied=True)
    with pytest.raises(
        UserError, match="has no labels, which this experiment needs: choose .* a folder of its own"
    ) as e:
        needs(own, side=None, channels=None, labels=True)
    assert "\n" not in str(e.value)
    needs("digits", labels=True)


def test_needs_asks_the_binary_digits_themselves_for_labels(nowhere, monkeypatch):
    unlabelled = Images("binarized_mnist", *(np.zeros((n, 28, 28, 1), np.uint8) for n in (50, 50)))
    monkeypatch.setattr("common.data.needs.load", lambda name, data_dir: unlabelled)
    needs("binarized_mnist")
    with pytest.raises(UserError, match="'binarized_mnist' has no labels"):
        needs("binarized_mnist", labels=True)


@needs_data
def test_mnist_is_the_original_in_file_order():
    images = data.load("mnist")
    assert images.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert images.test_labels[:15].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1]
    assert np.bincount(images.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(images.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.fingerprint == "826c6ab17e397254" and images.stand_in == ""
    for split, start in (("train", "train"), ("test", "t10k")):
        folder = tfds_sets.find_originals("mnist", sources._root(None))
        if folder is None:
            pytest.skip("no idx files in REPRO_DATA to compare with")
        with gzip.open(folder / f"{start}-images-idx3-ubyte.gz") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
        assert np.array_equal(getattr(images, split), pixels)


@needs_data
@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("binarized_mnist", (50000, 28, 28, 1), (10000, 28, 28, 1)),
        ("fashion_mnist", (10000, 28, 28, 1), (10000, 28, 28, 1)),
        ("cifar10", (50000, 32, 32, 3), (10000, 32, 32, 3)),
        ("celeb_a", (9000, 64, 64, 3), (1000, 64, 64, 3)),
        ("svhn_cropped", (4434, 32, 32, 3), (1952, 32, 32, 3)),
    ],
)
def test_real_sets_have_their_sizes(name, train, test):
    root = sources._root(None)
    if not (cache.read(f"{name}-tfds") or packs.find(name, root) or tfds_sets.find_packed_binarized(root)):
        pytest.skip(f"no {name} in REPRO_DATA")
    images = data.load(name)
    if images.stand_in or name == "binarized_mnist":
        assert (images.train.shape, images.test.shape) == (train, test)
    if name in ("fashion_mnist", "cifar10"):
        assert np.bincount(images.test_labels).tolist() == [1000] * 10
        assert tfds_sets.order_proof(images) == tfds_sets.ORDER_PROOF[name]
    if name == "binarized_mnist":
        assert set(np.unique(images.train)) == {0, 255} and images.train_labels is None
    if name == "celeb_a":
        assert len(images.factor_names) == 40 and set(np.unique(images.test_factors)) == {0, 1}
        male, beard = (images.train_factors[:, images.factor_names.index(n)] for n in ("Male", "No_Beard"))
        assert beard[male == 0].mean() > 0.99 > beard[male == 1].mean()


def test_wrong_original_is_refused(nowhere):
    """Files with the right names and the wrong bytes: TFDS's checksum refuses them, in one line that names one."""
    for file in tfds_sets.ORIGINALS["mnist"]:
        (nowhere / file).write_bytes(gzip.compress(b"not MNIST"))
    with pytest.raises(UserError, match=r"-ubyte.gz is not the original of mnist \(wrong size or sha256\)"):
        data.load("mnist", str(nowhere))
    assert [path.suffix for path in cache.folder().iterdir()] == [".lock"]
