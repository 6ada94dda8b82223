"""Measures of the claims on training choices and on sigma: records of choices.py, trained as described."""

import numpy as np

from common.reporting.claims import Measurement
from reproductions.doersch.claims_lengths import INITIAL, SLOWER, averaged, together
from reproductions.doersch.selection import per_seed

RATES = ("lr_0.01", "lr_0.003", "lr_0.001", "lr_0.0003", "lr_0.0001")
LAYERS = ("three_layers", "two_layers", "one_layer")
SIGMAS = ("sigma_0.05", "sigma_0.1", "sigma_0.2", "sigma_0.5", "sigma_1")
MARGIN = 1.0  # nats of C19b: a rate that is so near to the best one counts as the best


def choices(names, value, show=None, why=None, **fields):
    """Measure of choices.py: value({name: metrics}) for each seed that has all names.

    show, why: words for the number and for the reason, from the metrics' means over the seeds.
    """

    def found(records) -> Measurement | None:
        groups = per_seed(records, names, lambda r: r.settings["model"], experiment="choices", variant="as_described")
        if not groups:
            return None
        means = averaged(groups)
        text, reason = (words(means) if words else "" for words in (show, why))
        return together(groups, value, text, reason=reason, **fields)

    return found


def loss_after(m, epoch=1):
    """Training loss after an epoch; infinite where the run diverged before."""
    return m.get(f"loss_after_{epoch}_nats", np.inf)


def rate_chosen(m):
    """C19b: loss after one epoch at .001 minus the margin, minus the best of the four other rates.

    An order between trainings, so that one seed does not decide it; "<" means within the margin of the best, or best.
    """
    return loss_after(m["lr_0.001"]) - MARGIN - min(loss_after(m[name]) for name in RATES if name != "lr_0.001")


def rates_shown(m):
    return "loss " + ", ".join(f"{name[3:]}: {loss_after(m[name]):.1f}" for name in RATES)


def speed_names():
    """The runs of C42: {ReLU, sigmoid} x {Adam, SGD with momentum}, three learning rates each, the largest first."""
    rates = {"adam": ("0.003", "0.001", "0.0003"), "sgd": ("0.001", "0.0001", "1e-05")}
    return {(a, o): [f"{a}_{o}_{rate}" for rate in rates[o]] for a in ("relu", "sigmoid") for o in rates}


def speed_epochs(m):
    """The epochs of C42 that the runs reach."""
    return [e for e in (1, 5, 20) if any(f"loss_after_{e}_nats" in metrics for metrics in m.values())]


def speed(m):
    """C42: the largest, over the logged epochs, of (ReLU and Adam minus the best other pair), best rate each."""
    epochs = speed_epochs(m)
    best = {
        (pair, e): min(loss_after(m[name], e) for name in runs) for pair, runs in speed_names().items() for e in epochs
    }
    others = [pair for pair in speed_names() if pair != ("relu", "adam")]
    return max(best[("relu", "adam"), e] - min(best[pair, e] for pair in others) for e in epochs)


def rates_at_the_edge(m):
    """C42: the pairs whose best rate is the largest or the smallest tried, so that one beyond may be faster."""
    found = []
    for pair, runs in speed_names().items():
        for place, word in ((0, "largest"), (-1, "smallest")):
            at = [e for e in speed_epochs(m) if min(runs, key=lambda name: loss_after(m[name], e)) == runs[place]]
            if at:
                found.append(f"{' and '.join(pair)} after {' and '.join(map(str, at))} the {word}")
    return f"best rate at the edge of the three tried, so that one beyond may be faster: {', '.join(found)}" * bool(
        found
    )


def sigma_steps(m):
    """C10b: smallest step between neighbouring sigmas, of -KL and of the squared error."""
    kl = [m[name]["test_kl_nats"] for name in SIGMAS]
    error = [m[name]["test_squared_error"] for name in SIGMAS]
    return min(*-np.diff(kl), *np.diff(error))


MEASURES = {
    "C10b": choices(SIGMAS, sigma_steps, order=True),
    "C17": choices(
        tuple(f"{init}_{size}" for init in INITIAL for size in LAYERS),
        lambda m: np.ptp([each["test_negative_elbo_nats"] for each in m.values()]),
        lambda m: ", ".join(f"{name}: {each['test_negative_elbo_nats']:.1f}" for name, each in m.items()),
        at_end=SLOWER,
    ),
    "C19b": choices(RATES, rate_chosen, rates_shown, order=True),
    "C42": choices(
        tuple(name for runs in speed_names().values() for name in runs), speed,
        lambda m: f"after {', '.join(map(str, speed_epochs(m)))} epochs", rates_at_the_edge, order=True,
    ),
}  # fmt: skip
