"""The HTML report: self-contained, escaped, and alive in a real browser (skipped where none is installed)."""

import html
import json
import re
import shutil
import subprocess
import tempfile

import matplotlib.pyplot as plt
import pytest
from reporting_toy import write_records, write_room

from common.reporting.__main__ import main
from common.reporting.figures import save_figure, style

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium: install it to test the report's script")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=2000",
]  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    write_room(write_room(place / "rooms"), "empty")
    write_records(place / "results")
    with style():
        fig, axes = plt.subplots()
        axes.plot([1, 3, 2], marker="o", label="VAE")
        axes.plot([2, 1, 3], marker="s", label="GAN")
        axes.legend()
    save_figure(fig, place / "results/toy/figures/lines.png", "Two lines")
    where = ["--results", str(place / "results"), "--rooms", str(place / "rooms")]
    assert main(["tables", *where]) == 0 and main(["report", *where]) == 0
    return place / "results" / "report.html"


# Everything the browser is asked, in one start: what each address shows, then what pressing a head does.
SCRIPT = """<script>
const seen = {};
const look = () => ({
  shown: rows.length && [...body.rows].filter((row) => !row.hidden).map((row) => row.querySelector("th").dataset.sort),
  sorts: Object.fromEntries(heads.map((head) => [head.dataset.key, head.getAttribute("aria-sort")])),
  output: document.getElementById("shown").textContent,
  hash: location.hash,
});
const turned = () => new Promise((done) => addEventListener("hashchange", () => setTimeout(done), { once: true }));
(async () => {
  seen[""] = look();
  for (const address of ADDRESSES) {
    const change = turned();
    location.hash = address;
    await change;
    seen[address] = look();
  }
  const button = document.querySelector('th[data-key="measured"] button');
  button.focus(); button.click(); button.click();
  filters.words.value = "TOY"; filters.verdict.value = "";
  filters.words.dispatchEvent(new Event("input"));
  seen.pressed = look();
  seen.focus = document.activeElement === button;
  const result = document.createElement("pre");
  result.textContent = JSON.stringify(seen);
  document.body.replaceChildren(result);
})();
</script></body>"""
ADDRESSES = {
    "verdict=fails&text=toy": ["t2"],
    "text=toy&words=aupr%20DIGIT": ["t1", "t2"],
    "text=toy&sort=printed&direction=descending": ["f1", "q1", "t1", "t2", "u1", "n1", "o1", "s1", "i1"],
    "text=toy&sort=verdict": ["t1", "o1", "f1", "s1", "t2", "i1", "u1", "q1", "n1"],
}


@pytest.fixture(scope="module")
def seen(report):
    page = report.with_name("asked.html")
    script = SCRIPT.replace("ADDRESSES", json.dumps(list(ADDRESSES)))
    page.write_text(report.read_text().replace("</body>", script))
    with tempfile.TemporaryDirectory() as profile:
        command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    found = re.search("<pre>(.*)</pre>", done.stdout)
    assert done.returncode == 0 and found, done.stderr
    return json.loads(html.unescape(found[1]))


def test_nothing_outside_the_file_is_needed(report):
    page = report.read_text()
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "@import" not in page and "url(" not in page
    assert page.count("data:image/png;base64,") == 2 and 'alt="Two lines"' in page


def test_words_of_a_text_are_escaped(report):
    page = report.read_text()
    assert "digit 1 &lt;script&gt;" in page and page.count("<script>") == 1


def test_table_says_what_it_is(report):
    page = report.read_text()
    assert "<caption>" in page and page.count('<th scope="row"') == 18
    assert page.count('<th scope="col" data-key=') == 7
    for control in re.findall(r"<(?:select|input)[^>]*>", page):
        assert f"<label>{page.split(control)[0].rsplit('<label>')[-1]}{control}" in page
    assert '<html lang="en">' in page and "prefers-color-scheme: dark" in page


@needs_browser
def test_browser_shows_all_claims_in_the_texts_order(seen):
    assert seen[""]["shown"] == ["t1", "t2", "o1", "s1", "f1", "i1", "q1", "u1", "n1"] * 2
    assert seen[""]["output"] == "18 of 18 claims" and set(seen[""]["sorts"].values()) == {"none"}


@needs_browser
@pytest.mark.parametrize("address", ADDRESSES)
def test_browser_filters_and_sorts_by_address(seen, address):
    assert seen[address]["shown"] == ADDRESSES[address]
    assert seen[address]["output"] == f"{len(ADDRESSES[address])} of 18 claims"


@needs_browser
def test_browser_sorts_by_button_and_remembers(seen):
    """Two presses of a head turn the order; empty cells stay last; the focus stays; the address keeps the view."""
    assert seen["pressed"]["shown"] == ["f1", "t1", "t2", "o1", "s1", "i1", "q1", "u1", "n1"]
    assert seen["pressed"]["sorts"]["measured"] == "descending" and seen["pressed"]["sorts"]["verdict"] == "none"
    assert seen["pressed"]["hash"] == "#text=toy&words=TOY&sort=measured&direction=descending"
    assert seen["focus"]
