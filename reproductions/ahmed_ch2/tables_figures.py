"""Figures 2.4 and 2.5 in numbers: what the authors print by depth, and neighbours in latent space, beside ours."""

from common.reporting.records import Record
from common.reporting.tables import Table
from reproductions.ahmed_ch2 import captions
from reproductions.ahmed_ch2.claims_figures import DEPTHS, place
from reproductions.ahmed_ch2.selection import chosen, learning_rate


def sweep(records, **match) -> dict[tuple[str, int], Record]:
    """{("pixelvae", depth): record} of layers.py, the lowest seed of each."""
    found = {}
    for r in chosen(records, experiment="layers", **match):
        found.setdefault(place(r), r)
    return dict(sorted(found.items()))


def figure_2_4(nets, *longer) -> Table:
    """Development numbers of the authors beside ours, by depth; then those of longer trainings, recipe by recipe.

    nets: of the first recipe that has run; longer: of those after it.
    """
    lines = [depth_line(nets, depth) for depth in DEPTHS]
    lines += [depth_line(found, depth) for found in longer for depth in DEPTHS if depth in {n for _, n in found}]
    records, trained = list(nets.values()), [r for found in longer for r in found.values()]
    said = [
        "Nats. KL, reconstruction and bound: the authors' (their plot script, split unknown) and ours; PixelCNN: "
        "exact, no numbers of the authors' are known. 0 layers: a plain VAE, without any masked layer, and a bare 7x7 "
        "layer. Probe: per cent of digits that 5 neighbours get right. Active: latents whose posterior mean has a "
        "variance over 0.01.",
        f"Ours: {records[0].scale} scale, {records[0].data['name']}, width {records[0].settings['options']['width']}; "
        f"bits: {records[0].binarisation}; {captions.schedules([*records, *trained])}.",
    ]
    columns = ["layers", "their KL", "their rec.", "their sum", "KL", "reconstruction", "bound", "PixelCNN", "probe",
               "active", "learning rate", "iterations"]  # fmt: skip
    return Table("Figure 2.4, printed beside measured", columns, lines, said)


def depth_line(nets, depth) -> list:
    """A row of `figure_2_4`."""
    cells, vae, cnn = captions.printed(), nets.get(("pixelvae", depth)), nets.get(("pixelcnn", depth))
    theirs = [float(cells[f"F2.4b-{name}-L{depth:02d}"]) for name in ("KL", "REC", "SUM")]
    metrics = ("kl_nats", "reconstruction_nats", "nll_bound_nats", "probe_accuracy", "active_units")
    *ours, probe, active = (vae.metrics.get(m) if vae else None for m in metrics)
    steps, rate = next(((f"{r.steps:,}", str(learning_rate(r))) for r in (vae, cnn) if r), (None, None))
    return [depth, *theirs, *ours, cnn.metrics["nll_nats"] if cnn else None, probe, active, rate, steps]


def neighbours(planes) -> Table:
    """Neighbour errors by latent size; printed 7.2 and 22.9 at two dimensions."""
    lines = []
    for r in sorted(planes, key=lambda r: (r.settings["key"]["latent"], r.settings["model"], r.steps, r.seed)):
        m, cells = r.metrics, captions.printed()
        model, latent = r.settings["model"], r.settings["key"]["latent"]
        shown = cells["F2.5-01" if model == "pixelvae" else "F2.5-02"] if latent == 2 else None
        lines.append([
            "PixelVAE" if model == "pixelvae" else "VAE", latent, r.seed, shown,
            *(m[f"neighbour_error_{k}"] for k in (1, 5, 15)), m["silhouette"], m["information_nats"],
            m["move_shift"], m["move_flips"], m["nll_bound_nats"], m["kl_nats"], r.steps,
        ])  # fmt: skip
    columns = ["net", "latent", "seed", "printed, %", "k = 1", "k = 5", "k = 15", "silhouette", "I(class; z) >=",
               "shift", "flips", "bound", "KL", "iterations"]  # fmt: skip
    said = [
        "Per cent of test digits whose nearest training codes vote for another class. Shift, flips: how far the code "
        "moves when the image moves by a pixel and when 2 % of its pixels flip, over the spread of the class means. "
        f"Bits: {planes[0].binarisation}; data: {planes[0].data['name']}; {planes[0].scale} scale; "
        f"{captions.schedules(planes)}.",
    ]
    return Table("Figure 2.5: digits in latent space", columns, lines, said)
