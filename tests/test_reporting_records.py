"""Records: written whole or not at all, read back exactly, tied to the code they came from."""

import errno
import io
import json
import math
import os
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.reporting import files
from common.reporting.check import check
from common.reporting.fingerprint import ROOT
from common.reporting.records import Record, load, load_all, load_scores, save_scores, select, sha256


def record(name="cpu-vae-s1", **fields) -> Record:
    given_fields = {
        "text": "toy", "experiment": "ood", "name": name,
        "settings": {"model": "vae", "scale": "cpu", "seed": 1, "key": {"held_out": 0}, "options": {"rate": 1e-3}},
        "metrics": {"aupr": 0.4}, "data": {"binarisation": "dynamic", "split": "test", "stand_in": ""},
    }  # fmt: skip
    return Record(**given_fields | fields)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False), max_size=5))
def test_every_float_reads_back_as_itself(tmp_path_factory, metrics):
    path = record(metrics=metrics).save(tmp_path_factory.mktemp("results"))
    assert load(path).metrics == metrics
    assert load(path).to_json() == path.read_text(encoding="utf-8")


def test_not_finite_metrics_are_null_with_a_note_and_come_back(tmp_path):
    path = record(metrics={"a": math.nan, "b": -math.inf, "c": 1.5}, notes={"own": "kept"}).save(tmp_path)
    content = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert content["metrics"] == {"a": None, "b": None, "c": 1.5}
    assert content["notes"] == {"not_finite.a": "nan", "not_finite.b": "-inf", "own": "kept"}
    back = load(path)
    assert math.isnan(back.metrics["a"]) and back.metrics["b"] == -math.inf and back.notes == {"own": "kept"}


@pytest.mark.parametrize("change", [{"seconds": math.nan}, {"settings": {"x": math.inf}}, {"data": {"x": object()}}])
def test_what_json_cannot_hold_is_refused_elsewhere(tmp_path, change):
    with pytest.raises(UserError, match="cannot be written as JSON"):
        record(**change).save(tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_numpy_scalars_are_numbers_and_keys_are_sorted(tmp_path):
    first = record(settings={"seed": np.int64(3), "lr": np.float32(0.1)}, metrics={"b": np.float32(0.1), "a": 1})
    second = record(settings={"lr": float(np.float32(0.1)), "seed": 3}, metrics={"a": 1.0, "b": float(np.float32(0.1))})
    assert first.to_json() == second.to_json()
    assert first.to_json().index('"code"') < first.to_json().index('"text"')


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["write", "open", "fsync", "replace"])
def test_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch, call):
    path = record().save(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(files.os, call, no_space)
    with pytest.raises(UserError, match="No space left on device"):
        record(metrics={"aupr": 0.9}).save(tmp_path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_short_writes_and_interrupts(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(files.os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    path = record().save(tmp_path)
    monkeypatch.undo()
    assert load(path) == record()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record(metrics={}).save(tmp_path)
    monkeypatch.undo()
    assert load(path) == record() and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"text"', '"txet"'),
        lambda text: text.replace('"schema": 1', '"schema": 99'),
        lambda text: text.replace("0.4", "null"),
        lambda text: text.replace("0.4", '"high"'),
        lambda text: text.replace('"code": {}', '"code": 3'),
        lambda text: text.replace('"metrics": {', '"metrics": {"x": {'),
        lambda text: text.replace("cpu-vae-s1", "cpu-vae-s2"),
        lambda text: text.replace("0.4", "true"),
        lambda text: text.replace("0.4", '"12.5"'),
        lambda text: text.replace("0.4", "NaN"),
        lambda text: text.replace("0.4", "1e999"),
        lambda text: text.replace("0.4", "1" + 400 * "0"),
        lambda text: text.replace("0.4", "null").replace('"notes": {', '"notes": {"not_finite.aupr": "12.5"'),
        lambda text: text.replace('"aupr": 0.4', '"aupr": 0.4, "aupr": 0.5'),
        lambda text: text.replace('"seconds": 0.0', '"seconds": "long"'),
        lambda text: text.replace('"text": "toy"', '"text": 5'),
        lambda text: text.replace('"code": {}', '"code": {"modules": []}'),
        lambda text: text.replace('"code": {}', '"code": {"run": []}'),
        lambda text: text.replace('"files": {}', '"files": {"scores": 5}'),
        lambda text: text.replace('"binarisation": "dynamic"', '"name": ["mnist"]'),
        lambda text: text.replace('"model": "vae"', '"model": ["vae"]'),
        lambda text: re.sub('"key": {[^}]*}', '"key": null', text),
        lambda text: re.sub('"options": {[^}]*}', '"options": [1]', text),
        lambda text: 100_000 * "[",
    ],
)
def test_damaged_records_are_named(tmp_path, damage):
    path = record().save(tmp_path)
    whole = path.read_text()
    path.write_text(damage(whole))
    assert path.read_text() != whole
    with pytest.raises(UserError, match="cpu-vae-s1.json") as error:
        load_all(tmp_path)
    assert "\n" not in str(error.value) and check(tmp_path, tmp_path)[0][0] == str(error.value)


def test_all_committed_records_load():
    for path in sorted((ROOT / "results" / "records").glob("*/*/*.json")):
        assert load(path).name == path.stem


def test_names_must_be_plain(tmp_path):
    for name in ("../x", "a/b", "", ".hidden", "a b"):
        with pytest.raises(UserError, match="plain file name"):
            record(name=name).save(tmp_path)


def test_select_finds_settings_keys_options_and_data():
    many = [record(f"r{i}", settings={"model": m, "seed": i, "key": {"held_out": i % 2}, "options": {"rate": 0.1 * i}})
            for i, m in enumerate(["vae", "vae", "gan"])]  # fmt: skip
    assert [r.name for r in select(many, model="vae")] == ["r0", "r1"]
    assert [r.name for r in select(many, model=("vae", "gan"), held_out=0)] == ["r0", "r2"]
    assert [r.name for r in select(many, rate=0.1, binarisation="dynamic", experiment="ood")] == ["r1"]
    assert select(many, unknown=None) == []


def test_load_all_is_sorted_and_restricted_to_a_text(tmp_path):
    for text, name in (("b", "x"), ("a", "z"), ("a", "y")):
        record(name, text=text).save(tmp_path)
    assert [r.name for r in load_all(tmp_path)] == ["y", "z", "x"]
    assert [r.name for r in load_all(tmp_path, "b")] == ["x"]
    assert load_all(tmp_path / "nowhere") == []


def test_scores_are_deterministic_and_compact(tmp_path, monkeypatch):
    arrays = {"b": np.linspace(0, 1, 1000), "a": np.arange(1000) % 2 == 0, "c": np.arange(3) - 1, "d": np.float16(2)}
    first = save_scores(tmp_path / "one.npz", **arrays)
    monkeypatch.setattr("time.time", lambda: 4e9)
    second = save_scores(tmp_path / "two.npz", **dict(reversed(arrays.items())))
    assert first == second == sha256(tmp_path / "two.npz")
    back = load_scores(tmp_path / "one.npz")
    assert {name: str(array.dtype) for name, array in back.items()} == {
        "a": "uint8", "b": "float32", "c": "int32", "d": "float16",
    }  # fmt: skip
    np.testing.assert_array_equal(back["b"], arrays["b"].astype(np.float32))
    np.testing.assert_array_equal(back["c"], [-1, 0, 1])


def test_scores_refuse_what_they_cannot_keep(tmp_path):
    for arrays in ({}, {"x": np.array(["text"])}, {"x": np.array([2**40])}, {"x": np.array([1j])}):
        with pytest.raises(UserError):
            save_scores(tmp_path / "x.npz", **arrays)
    (tmp_path / "x.npz").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="x.npz"):
        load_scores(tmp_path / "x.npz")


def test_damaged_scores_are_named(tmp_path):
    """A damaged stream, an unknown compression method, an encrypted entry, a bare array of that name."""
    path = tmp_path / "x.npz"
    save_scores(path, x=np.arange(1000.0))
    whole, entry = path.read_bytes(), zipfile.ZipFile(path).infolist()[0]
    stream, central = 30 + len(entry.filename), path.read_bytes().index(b"PK\x01\x02")
    bare = io.BytesIO()
    np.save(bare, np.arange(3))
    for damaged in (
        whole[:stream] + b"\xff" * 40 + whole[stream + 40 :],
        whole[: central + 10] + b"\x63\x00" + whole[central + 12 :],
        whole[: central + 8] + b"\x01\x00" + whole[central + 10 :],
        bare.getvalue(),
    ):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="cannot read .*x.npz: .*; give the record.s command again with --rerun"):
            load_scores(path)
