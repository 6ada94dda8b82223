"""Pages, tables, figures, checker and command line on a toy room."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reporting_toy import write_records, write_room

from common.errors import UserError
from common.reporting import check, rooms
from common.reporting.__main__ import main
from common.reporting.claims import Measurement, measure
from common.reporting.figures import caption_of, image_grid, save_figure, save_image, style
from common.reporting.pages import BEGIN, END, collapse, ranges, replace_overview, text_page
from common.reporting.records import Record, load_all
from common.reporting.tables import Table, duration, escape, short, with_spread

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(tmp_path):
    write_room(tmp_path / "rooms")
    write_records(tmp_path / "results")
    return tmp_path


def run(place, command, *more) -> int:
    return main([command, "--results", str(place / "results"), "--rooms", str(place / "rooms"), *more])


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(place):
    return [rooms.tell(room, place / "results") for room in rooms.find_rooms(place / "rooms")]


def test_claims_are_judged_from_the_largest_scale(place):
    (toy,) = told(place)
    assert {row.claim.claim_id: row.verdict for row in toy.rows} == {
        "t1": "holds", "t2": "fails", "o1": "holds", "s1": "not separated", "f1": "holds in direction only",
        "i1": "identity", "u1": "undecided", "q1": "quoted", "n1": "not run",
    }  # fmt: skip
    assert toy.room.title == "A toy text"


def test_the_same_records_give_the_same_bytes(place):
    for _ in range(2):
        assert run(place, "tables") == 0 and run(place, "report") == 0
        first = tree(place / "results")
    for path in (place / "results" / "toy").rglob("*.*"):
        path.unlink()
    assert run(place, "tables") == 0 and run(place, "report") == 0
    assert tree(place / "results") == first


def test_page_says_counts_first_then_claims_cost_and_limits(place):
    run(place, "tables")
    page = (place / "results/toy/README.md").read_text()
    assert page.splitlines()[2].startswith("9 claims: holds 2 · holds in direction only 1 · not separated 1 · fails 1")
    assert "| 40.20 percent | 40.20 ± 0.10 | 3 | cpu | holds | off by 0," in page
    assert "| yes | 5.0 ± 1.0 percent | 3 |" in page
    assert "VAE above GAN \\| by mean" in page and "<script>" not in page
    assert re.search(r"^- \*\*.*needs the full CelebA.*\*\*: n1: ", page, re.MULTILINE) and "| n1: " not in page
    assert "- **measured 9.5 after 20 steps; decided from 100 on**: u1: 10000 faces (Table 3)\n" in page
    assert "10,000 faces at half size: 1 claim" in page and "scale cpu" in page
    assert (
        "for seed in 1 2 3; do python reproductions/toy/ood.py --scale=cpu --dataset=mnist --seed=$seed; done" in page
    )
    assert "Some CPU, 2 cores, 8 GB" in page and "All 5 runs together: 8 min." in page
    assert "![Four squares &amp; more](figures/grid.png)" in page and "[Time of each run](time.md)" in page
    sections = ("What fails", "Claims", "Quoted", "Undecided", "Not run", "Tables", "Figures", "Cost", "Commands")
    order = [page.index(f"## {name}") for name in sections]
    assert order == sorted(order)


def test_page_says_first_what_fails(place):
    run(place, "tables")
    page = (place / "results/toy/README.md").read_text()
    section = page[page.index("## What fails") : page.index("## Claims")]
    failing = [row for row in told(place)[0].rows if row.verdict == "fails"]
    assert re.findall(r"^- \*\*(\w+): ", section, re.MULTILINE) == [row.claim.claim_id for row in failing]
    assert failing[0].reason.split(";")[0] in section and ", measured " in section


def test_claims_csv_keeps_full_numbers(place):
    run(place, "tables")
    rows = {row["claim_id"]: row for row in csv.DictReader((place / "results/toy/claims.csv").open(newline=""))}
    assert float(rows["t1"]["measured"]) == pytest.approx(40.2) and float(rows["t1"]["spread"]) == pytest.approx(0.1)
    assert rows["f1"]["spread"] == "" and rows["f1"]["stand_in"] == "10,000 faces at half size"
    assert (rows["q1"]["measured"], rows["q1"]["n"], rows["q1"]["verdict"]) == ("", "0", "quoted")


def test_overview_and_readme(place):
    run(place, "tables")
    overview = (place / "results/README.md").read_text()
    row = "| [A toy text](toy/README.md) | 9 | 2 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 8 min | Some CPU, 2 cores, 8 GB | 0 |"
    assert row in overview
    readme = place / "README.md"
    readme.write_text(f"before\n{BEGIN}\nof yesterday\n{END}\nafter\n")
    assert run(place, "check", "--readme", str(readme)) == 1
    assert run(place, "tables", "--readme", str(readme)) == 0
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n|") and text.endswith(f"{END}\nafter\n") and "yesterday" not in text
    assert replace_overview(text, told(place)) == text
    assert run(place, "check", "--readme", str(readme)) == 0
    for broken in ("none", END + BEGIN, BEGIN + BEGIN + END):
        with pytest.raises(UserError, match="overview:begin"):
            replace_overview(broken, told(place))


def test_check_is_content_after_tables(place, capsys):
    run(place, "tables")
    before = tree(place)
    capsys.readouterr()
    assert run(place, "check") == 0
    out = capsys.readouterr().out
    assert "name no records, so nothing was compared: i1" in out and out.endswith("0 failures, 1 warning\n")
    assert tree(place) == before


def test_tables_deletes_nothing_and_fails_in_one_line(place, capsys):
    """What no room writes stays, as a person may have put it there: the check names it."""
    run(place, "tables")
    (place / "results/toy/old.csv").write_text("a\n1\n")
    assert run(place, "tables") == 0 and (place / "results/toy/old.csv").exists()
    edit(place / "rooms/toy/tables.py", "record.seconds", 'record.metrics["area"]')
    capsys.readouterr()
    assert run(place, "tables") == 2
    assert capsys.readouterr().err == "error: toy: its tables failed with KeyError: 'area'\n"


def edit(path: Path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


NAME = "cpu-vae-as_described-mnist-s1"
BREAKS = {
    "damaged": (lambda p: edit(p / f"results/records/toy/ood/{NAME}.json", "{", "["), "is damaged"),
    "hash": (lambda p: (p / f"results/scores/toy/ood/{NAME}.npz").write_bytes(b"x"), "another SHA-256"),
    "missing": (lambda p: (p / f"results/scores/toy/ood/{NAME}.npz").unlink(), "is missing"),
    "unhashed": (lambda p: edit(p / f"results/records/toy/ood/{NAME}.json", '"sha256": {', '"sha256": {"x": "",'),
                 "lacks its path"),
    "moved": (lambda p: (p / "results/records/toy/ood").rename(p / "results/records/toy/other"), "belongs at"),
    "unexplained": (lambda p: edit(p / "rooms/toy/claims.py", '"n1": "needs', '"q1": "needs'), "neither|no reason"),
    "unknown": (lambda p: edit(p / "rooms/toy/claims.py", '"n1"', '"n2"'), "does not have: n2"),
    "repeated": (lambda p: edit(p / "rooms/toy/claims.csv", "n1,", "q1,"), "not unique"),
    "no metric": (lambda p: edit(p / "rooms/toy/claims.py", '"aupr1"', '"aupr9"'), "no metric 'aupr9'"),
    "evaluator": (lambda p: edit(p / f"results/records/toy/ood/{NAME}.json", "step AP", "trapezoid"),
                  "differ in evaluator"),
    "measure": (lambda p: edit(p / "rooms/toy/claims.py", "exact=True", "exact=1 / 0"), "ZeroDivisionError"),
    "number": (lambda p: edit(p / f"results/records/toy/ood/{NAME}.json", "40.1", "40.15"), "README.md is not what"),
    "table": (lambda p: edit(p / "results/toy/time.csv", "60", "61"), "time.csv is not what"),
    "pixels": (lambda p: edit(p / f"results/records/toy/ood/{NAME}.json", '"name": "mnist"',
                              '"fingerprint": "0", "name": "mnist"'), "'mnist' have different pixels"),
    "deleted": (lambda p: (p / "results/toy/claims.csv").unlink(), "claims.csv is not what"),
    "left over": (lambda p: (p / "results/toy/figures/old.png").write_bytes(b"x"),
                  "toy/figures/old.png is written by nothing; delete it"),
    "no more": (lambda p: edit(p / "rooms/toy/tables.py", 'toy" / "time"', 'toy" / "times"'),
                "toy/time.md is written by nothing; delete it"),
    "tables": (lambda p: edit(p / "rooms/toy/tables.py", "record.seconds", 'record.metrics["area"]'),
               "toy: its tables failed with KeyError: 'area'"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("known", "warned"),
    [({}, 0), ({"fingerprint": "b"}, 0), ({"fingerprint": "a"}, 2), ({"stand_in": ""}, 1)],
)
def test_check_warns_of_records_of_images_that_were_replaced(place, capsys, monkeypatch, known, warned):
    """Two records of one pack, one of which names it no stand-in, and records of sets that no longer lie here."""

    def told(name):
        if name != "celeb_a":
            raise UserError("not found")
        return known

    monkeypatch.setattr(check.sources, "known", told)
    for seed, stand_in in ((1, "half of it"), (2, "")):
        path = place / f"results/records/toy/ood/cpu-vae-as_described-mnist-s{seed}.json"
        edit(path, '"name": "mnist"', '"fingerprint": "b", "name": "celeb_a"')
        edit(path, '"stand_in": ""', f'"stand_in": "{stand_in}"')
    run(place, "tables")
    capsys.readouterr()
    assert run(place, "check") == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "other images than lie here" in line]
    records = f"{warned} record{'s' * (warned > 1)} of data set 'celeb_a'"
    assert [line.split(" were made")[0] for line in said] == ([f"warning: {records}"] if warned else [])


@pytest.mark.parametrize("name", BREAKS)
def test_check_finds(place, capsys, name):
    run(place, "tables")
    capsys.readouterr()
    damage, complaint = BREAKS[name]
    damage(place)
    assert run(place, "check") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert any(re.search(complaint, line) for line in lines), lines


def test_staleness_is_a_warning_shown_in_its_row(place, capsys):
    path = place / f"results/records/toy/ood/{NAME}.json"
    content = json.loads(path.read_text())
    content["code"] = {"fingerprint": "0", "run": "run", "modules": {"common.data.feeds": "0" * 16}}  # of no script
    path.write_text(json.dumps(content))
    run(place, "tables")
    page = (place / "results/toy/README.md").read_text()
    assert page.count("stale: reproductions.toy.ood changed") == 5  # four rows, one of which fails
    assert "| holds | stale: reproductions.toy.ood changed;" in page
    assert (place / "results/README.md").read_text().count("| 4 |") == 1
    capsys.readouterr()
    assert run(place, "check") == 0
    assert "warning: toy: stale: reproductions.toy.ood changed; claims t1, t2, o1, s1" in capsys.readouterr().out


def test_mistakes_are_one_line_and_code_2(place, capsys):
    assert main(["tables", "--results", str(place / "nowhere")]) == 2
    assert main(["check", "--results", str(place / "nowhere")]) == 2
    assert main(["tables", "--results", str(place / "results"), "--rooms", str(place / "results")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.startswith("error: no r") for line in lines)


def test_a_page_that_cannot_be_read_is_one_line_and_code_2(place, capsys):
    readme = place / "rooms/toy/README.md"
    readme.write_bytes(b"# caf\xe9")
    assert run(place, "tables") == 2
    assert "is not UTF-8" in capsys.readouterr().err
    readme.unlink(), readme.symlink_to(readme)
    readme.with_name("claims.csv").unlink(), readme.with_name("claims.csv").mkdir()
    assert run(place, "tables") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_reporting_loads_without_tensorflow(place):
    code = (
        "import sys; from common.reporting.__main__ import main;"
        f"code = main(['check', '--results', {str(place / 'results')!r}, '--rooms', {str(place / 'rooms')!r}]);"
        "sys.exit(3 if 'tensorflow' in sys.modules or 'keras' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1 and "README.md is not what the records give" in done.stdout, done.stderr


def test_best_measurement_never_mixes_scales():
    def one(scale, seed):
        return Record("toy", "ood", f"{scale}{seed}", {"scale": scale}, {"x": float(seed)})

    many = [one("smoke", 1), one("cpu", 2), one("paper", 3), one("cpu", 4)]
    assert rooms.best_measurement(lambda records: measure(records, "x"), many).values == (3.0,)
    at_least_two = lambda records: measure(records, "x") if len(records) > 1 else None  # noqa: E731
    assert rooms.best_measurement(at_least_two, many).values == (2.0, 4.0)
    assert rooms.best_measurement(None, many) is None
    unfinished = lambda records: measure(records, "x") if len(records) > 1 else Measurement(reason="one only")  # noqa: E731
    assert rooms.best_measurement(unfinished, many).values == (2.0, 4.0)  # a reason hides no numbers of a smaller scale
    assert rooms.best_measurement(unfinished, many[:1]).reason == "one only"


def test_a_measure_that_asks_for_it_gets_the_results_folder(place):
    (room,), folder = rooms.find_rooms(place / "rooms"), place / "results"

    def from_scores(records, results_dir=None):
        return Measurement(reason=f"read in {results_dir}")

    asking = dataclasses.replace(room, measures={"t1": from_scores, "t2": lambda records: Measurement(reason="plain")})
    rows = {row.claim.claim_id: row for row in rooms.tell(asking, folder).rows}
    assert rows["t1"].reason == f"read in {folder}" and rows["t2"].reason == "plain"


def test_changed_settings_are_no_further_seed(place):
    """A record of --set stands in the folder, but no claim takes it."""
    before = [row.measurement for row in told(place)[0].rows]
    path = place / f"results/records/toy/ood/{NAME}.json"
    content = json.loads(path.read_text())
    content |= {"name": f"{NAME}-latent=2", "command": content["command"] + " --set=latent=2"}
    path.with_name(f"{NAME}-latent=2.json").write_text(json.dumps(content))
    assert [row.measurement for row in told(place)[0].rows] == before


def test_rooms_of_the_repository_are_sound():
    """Every room here loads, and what it measures stands in its claims.csv."""
    if not list(rooms.ROOMS.glob("*/claims.csv")):
        pytest.skip("no room yet")
    assert all(room.claims for room in rooms.find_rooms())


@given(st.lists(st.lists(st.text() | st.integers() | st.floats(allow_nan=False), min_size=2, max_size=2), max_size=4))
def test_tables_keep_their_shape(rows):
    table = Table("T", ["a|b", "c"], rows)
    read = list(csv.reader(table.csv().split("\n")[:-1])) if not any("\r" in str(c) for r in rows for c in r) else []
    assert not read or read[0] == ["a|b", "c"]
    lines = table.markdown().split("\n")
    assert len(lines) == 2 + 2 + len(rows) + 1
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines[2:-1])


def test_table_refuses_ragged_rows():
    with pytest.raises(UserError, match="1 cells for 2 columns"):
        Table("T", ["a", "b"], [[1]])


def test_numbers_for_people():
    assert [short(x) for x in (33.846, 0.00031234, 1.2e-7, 2844844, 0.99999, -5.5, float("nan"))] == [
        "33.85", "0.0003123", "1.2e-07", "2844844", "1.000", "-5.500", "nan",
    ]  # fmt: skip
    assert with_spread(33.846, 0.52) == "33.85 ± 0.52" and with_spread(12345.6, 234) == "12346 ± 234"
    assert with_spread(1.5, 0) == "1.500"
    assert [duration(s) for s in (41, 720, 12240)] == ["41 s", "12 min", "3.4 h"]
    assert escape("a|b\n<i>&") == "a\\|b &lt;i>&amp;"


def test_commands_that_differ_in_the_seed_become_a_loop():
    assert collapse(("x --seed=1 --a", "x --seed=2 --a", "y")) == ("for seed in 1 2; do x --seed=$seed --a; done", "y")
    assert collapse(("x --seed=1",)) == ("x --seed=1",)


def test_every_record_stands_behind_its_command(place):
    """Those that no claim was measured on, too, such as the smoke run."""
    (toy,) = told(place)
    commands = text_page(toy, place / "results/toy").split("## Commands")[1]
    listed = [line for line in commands.splitlines() if "`" in line]
    for record in toy.records:
        (line,) = (line for line in listed if f"(../records/toy/ood/{record.name}.json)" in line)
        assert record.command.split(" --seed")[0] in line
    assert any("--scale=smoke" in line for line in listed)


def test_many_commands_are_one_link():
    assert ranges([1, 3, 4, 5, 9]) == "1, 3-5, 9" and ranges([7]) == "7" and ranges([]) == ""
    assert ranges([1, 2, 3]) == "1-3"


def test_image_grid_places_every_pixel():
    images = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
    grid = image_grid(images, columns=2, separator=1)
    assert grid.shape == (2 * 3 - 1, 2 * 5 - 1)
    np.testing.assert_array_equal(grid[:2, :4], images[0])
    np.testing.assert_array_equal(grid[:2, 5:], images[1])
    np.testing.assert_array_equal(grid[3:, :4], images[2])
    rest = np.ones_like(grid, bool)
    for rows, columns in ((slice(0, 2), slice(0, 4)), (slice(0, 2), slice(5, 9)), (slice(3, 5), slice(0, 4))):
        rest[rows, columns] = False
    assert (grid[rest] == 255).all()
    assert image_grid(np.array([[[[-1.0, 0.5, 2.0]]]]), columns=1).tolist() == [[[0, 128, 255]]]
    with pytest.raises(UserError):
        image_grid(images[:0], 2)
    with pytest.raises(UserError):
        image_grid(images, 0)


def test_figures_carry_a_caption_and_no_date(tmp_path):
    for name in ("one.png", "two.png"):
        with style():
            fig, axes = plt.subplots()
            axes.plot([1, 2])
        save_figure(fig, tmp_path / name, "β against −ELBO")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert caption_of(tmp_path / "one.png") == "β against −ELBO"
    with Image.open(tmp_path / "one.png") as image:
        assert set(image.info) <= {"Description", "dpi"} and image.width == 1600
    save_image(np.eye(3), tmp_path / "an_eye.png", zoom=2)
    with Image.open(tmp_path / "an_eye.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[::2, ::2], np.eye(3) * 255)
    assert caption_of(tmp_path / "an_eye.png") == "an eye"


def test_a_record_of_no_room_is_a_warning(place, capsys):
    record = load_all(place / "results")[0]
    Record("other", "x", "y", {}, {}, seconds=record.seconds).save(place / "results")
    run(place, "tables")
    capsys.readouterr()
    assert run(place, "check") == 0
    out = capsys.readouterr().out
    assert "1 records of 'other', which has no room" in out and "'other' without a code fingerprint" in out
