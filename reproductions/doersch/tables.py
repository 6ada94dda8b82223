"""The room's own tables and figures, made from records: `make` is called by `python -m common.reporting tables`."""

from pathlib import Path

from common.reporting.records import Record, select
from common.reporting.rooms import SCALES
from common.reporting.tables import Table
from reproductions.doersch import figures, figures_networks, tables_networks
from reproductions.doersch.laws import SMOOTH_LAWS


def make(records: list[Record], results_dir: str | Path) -> None:
    """Write tables and figures below <results>/doersch; what has no record yet is left out."""
    folder = Path(results_dir) / "doersch"
    appendix_record = first(records, experiment="appendix")
    if appendix_record:
        appendix_table(appendix_record).write(folder / "appendix")
        figures.appendix(appendix_record, folder / "appendix.png")
    for experiment, draw in (("formulas", figures.figure_2), ("distances", figures.figure_3)):
        record = first(records, experiment=experiment)
        if record:
            draw(record, results_dir, folder / f"{'figure_2' if experiment == 'formulas' else 'figure_3'}.png")
    tables_networks.write(records, folder)
    of_figure_8 = tables_networks.conditions(records, results_dir)
    if of_figure_8.rows:
        of_figure_8.write(folder / "conditions")
    figures_networks.draw(records, results_dir)


def first(records, **match) -> Record | None:
    """The record at the largest scale, the text's own data before stand-ins, the lowest seed; None without records."""
    found = select(records, **match)
    return min(found, key=lambda r: (SCALES.index(r.scale), bool(r.stand_in), r.data["name"], r.seed), default=None)


def appendix_table(record: Record) -> Table:
    """One row a law: the constant of D1 ~ c sigma^2 with its parts, the fitted slopes, D1 at sigma = 1, .1, .01."""
    value = record.metrics
    rows = [
        [
            law.name.replace("_", " "),
            *(value[f"c13_rate_{part}_{law.name}"] for part in ("c", "curvature", "prior", "cross")),
            *(value[f"{name}_{law.name}"] for name in ("c14_curvature_share", "c13_slope_d1", "c13_slope_d2")),
            *(value[f"c13_d1_s{s}_{law.name}"] for s in ("1", "0.1", "0.01")),
        ]
        for law in SMOOTH_LAWS
    ]
    columns = ["law", "c", "curvature", "prior", "cross", "curvature share", "slope D1", "slope D2"]
    tiny = [[0.0 if isinstance(cell, float) and abs(cell) < 1e-12 else cell for cell in row] for row in rows]
    notes = [
        "D1 = E KL(Q || P(z|X)) in nats, about c sigma^2; c is the sum of its curvature, prior and cross parts. The "
        "text says that the curvature of g makes the bulk of it.",
        f"The Cauchy law has bounded derivatives too, yet its bound at X = 0 is minus infinity for every sigma above "
        f"{value['cauchy_threshold']:.5f}.",
    ]
    return Table("Appendix A, measured", [*columns, "D1 at 1", "D1 at .1", "D1 at .01"], tiny, notes)
