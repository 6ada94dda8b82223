"""Numbers made of the metrics of one or two runs: the same functions judge our runs and the author's own material."""

import csv
import math
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

REAL = Path(__file__).with_name("real_digits.csv")  # by digit, of MNIST's 10,000 test images; nearest: to the others


def words(text, metrics) -> str:
    """text(*metrics), or a template, "{0[recall]:.2f} against {1[recall]:.2f}"."""
    return text(*metrics) if callable(text) else text.format(*metrics)


def shown(text, metrics) -> str:
    """`words` beside a number, in brackets."""
    found = words(text, metrics)
    return f"({found})" if found else ""


QUALITY = ("border_mean", "edge_variance", "nearest_test", "precision")


def difference(metric):
    """metric of the first run minus that of the second."""
    return lambda a, b: a[metric] - b[metric]


def blur(vae, gan):
    """Edge variance of the VAE minus half of the GAN's; below 0: at least twice as blurred."""
    return vae["edge_variance"] - 0.5 * gan["edge_variance"]


def speckle(m):
    """Light at the border beyond that of real digits, intensity."""
    return m["border_mean"] - m["border_mean_test"]


def settling(loss):
    """Mean of a loss in the last fifth of the epochs minus that in the first."""
    return lambda m: m[f"{loss}_last_fifth"] - m[f"{loss}_first"]


@lru_cache
def of_each_digit(name: str) -> np.ndarray:
    """A statistic of MNIST's test digits, class by class, float64 [10]; name_sd: its scatter over the pictures."""
    with open(REAL, newline="", encoding="utf-8") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def real_digits() -> dict[str, np.ndarray]:
    """{metric: float64 [10]} of MNIST's test digits, those of QUALITY that compare a picture with nothing learned."""
    return {name: of_each_digit(name) for name in QUALITY if name != "precision"}


def of_real(name, m) -> float:
    """A metric of QUALITY of real digits in the mix of digits that the run draws: ones have fewer edges than eights.

    Shares that are arrays, of a grid drawn again many times (`spread`), give an array.
    """
    shares = np.array([m[f"share_{digit}"] for digit in range(10)])
    return real_digits()[name] @ shares / shares.sum(axis=0)


def parts(a, b) -> dict[str, bool]:
    """In which of QUALITY the first run is better: nearer to real digits `of_real` mix; in precision, higher.

    Precision has no such reference, so that it is left out if either run has `few_classes`; as are metrics that the
    material does not have.
    """
    found = {name: abs(a[name] - of_real(name, a)) < abs(b[name] - of_real(name, b)) for name in real_digits()}
    if "precision" in a and not (few_classes(a) or few_classes(b)):
        found["precision"] = a["precision"] > b["precision"]
    return found


def better_parts(a, b) -> int:
    """How many parts of QUALITY the first run wins."""
    return sum(parts(a, b).values())


def parts_shown(a, b) -> str:
    """The parts with their two numbers, and behind each what real digits in its mix have."""
    names = {"border_mean": "border", "edge_variance": "edges", "nearest_test": "nearest", "precision": "precision"}
    won, shown = parts(a, b), []
    for n in won:
        two = [f"{m[n]:.3g}" + (f" (real {of_real(n, m):.3g})" if n in real_digits() else "") for m in (a, b)]
        shown.append(f"{names[n]} {two[0]} / {two[1]} {'better' if won[n] else 'worse'}")
    if "precision" in a and "precision" not in won:
        shown.append(f"precision {a['precision']:.3g} / {b['precision']:.3g} not counted: few digits are drawn")
    return ", ".join(shown)


def common_log_steps(a, b) -> tuple[np.ndarray, np.ndarray]:
    """|log g_{t+1} - log g_t| of the first, of the second, both over the epochs that both have.

    A loss moves most at the start, so that a longer training has the smaller mean.
    """
    common = min(len(m["curve_g_loss"]) for m in (a, b))
    first, second = (np.abs(np.diff(np.log(m["curve_g_loss"][:common].astype(float)))) for m in (a, b))
    return first, second


def steadier(a, b) -> float:
    """Difference of the means of the `common_log_steps`, first minus second."""
    first, second = common_log_steps(a, b)
    return float(first.mean() - second.mean())


def steadier_shown(a, b) -> str:
    """The two means, and over how many epochs."""
    first, second = common_log_steps(a, b)
    if not len(first):  # one epoch has no step to the next
        return ""
    return f"{first.mean():.3g} against {second.mean():.3g}, both over the first {len(first) + 1} epochs"


def beside_entropy(a, b) -> str:
    """Two readings of variety: the distance to the nearest other sample, and whether the entropy says the same."""
    signs = {np.sign(a[name] - b[name]) for name in ("nearest_within", "label_entropy_nats")}
    verdict = "the same order" if len(signs) == 1 else "the opposite order"
    return (f"{a['nearest_within']:.2f} against {b['nearest_within']:.2f}; {verdict} by class entropy, "
            f"{a['label_entropy_nats']:.2f} against {b['label_entropy_nats']:.2f}")  # fmt: skip


def shares_shown(m) -> str:
    """The digits that hold a hundredth of the samples or more, most frequent first."""
    shares = sorted(((m[f"share_{d}"], d) for d in range(10) if m[f"share_{d}"] >= 0.01), reverse=True)
    return "digits " + ", ".join(f"{d}: {share:.0%}" for share, d in shares)


def between_vae_and_real(m, vae):
    """Where the edge variance lies: 0 at the VAE's, 1 at that of real digits."""
    return (m["edge_variance"] - vae["edge_variance"]) / (m["edge_variance_test"] - vae["edge_variance"])


def of_right_digits(m) -> tuple[float, float, int, int] | None:
    """Variance within a digit over the real digits', of the pictures kept: (of the right ones, of all, right, kept).

    Right: the judge sees the digit that was asked for. Variances with divisor n - 1, for there are few of a digit.
    None without pictures of the end of the training, or with no digit that has two right ones.
    """
    last = f"grid_q{len(m['grid_epochs'])}"
    if last not in m:
        return None
    count = min(len(m[last]), len(m["sample_labels"]))
    pictures, asked, seen = m[last][:count] / 255, m["grid_labels"][:count], m["sample_labels"][:count]
    right = asked == seen
    found = [within_digits(pictures[of], asked[of]) / m["within_class_variance_test"] for of in (right, slice(None))]
    return (*found, int(right.sum()), count) if np.isfinite(found[0]) else None


def within_digits(pictures, digits) -> float:
    """Pixel variance, divisor n - 1, of the pictures of one digit: mean over the digits that have two or more."""
    groups = [pictures[digits == digit] for digit in np.unique(digits)]
    found = [group.var(axis=0, ddof=1).mean() for group in groups if len(group) > 1]
    return float(np.mean(found)) if found else math.nan


def right_digits_shown(m) -> str:
    """The ratio over the right ones of the pictures kept, beside that over all of them."""
    found = of_right_digits(m)
    return "of {3} pictures kept {2} show the digit asked for: over these {0:.2f}, over all of them {1:.2f}".format(
        *found) if found else ""  # fmt: skip


def worst_digit(m) -> float:
    """Smallest share of requested digits that came, over the ten digits."""
    return min(m[f"requested_accuracy_{digit}"] for digit in range(10))


def reached(part):
    """Claim 26: p(second digit) at the end of a walk through `part` alone ("z", "label"), over that through both."""
    return lambda m: m[f"walk_{part}_reached"] / m["walk_both_reached"]


def reached_shown(m) -> str:
    """p(second digit) at the ends, and how far the pictures move on the way."""
    parts = {name: (m[f"walk_{name}_reached"], m[f"walk_{name}_length"]) for name in ("z", "label", "both")}
    found = ", ".join(f"{name} {p:.3f} ({way:.1f})" for name, (p, way) in parts.items())
    return f"p at the end, and in brackets how far the picture moves: {found}"


def edge_distance(m) -> float:
    """Distance of the edge variance from that of real digits."""
    return abs(m["edge_variance"] - m["edge_variance_test"])


def few_classes(m) -> bool:
    """Collapse as in the author's DCGAN: fewer than five digits hold a hundredth of the samples."""
    return m["classes"] < 5


def all_classes(m) -> bool:
    """No collapse: nine digits or ten, and a class entropy of 2 nats (log 10 = 2.303)."""
    return m["classes"] >= 9 and m["label_entropy_nats"] >= 2.0


def partly_collapsed(m) -> bool:
    """Collapse in part: a digit is missing, or the class entropy is below 2 nats."""
    return m["classes"] < 10 or m["label_entropy_nats"] < 2.0


def ignores_z(m) -> bool:
    """Posterior collapse: the code of a test image says at most a nat (claim 27), so z cannot tell images apart."""
    return m["test_kl_nats"] <= 1


def over_class_mean(m) -> float:
    """Squared error of reconstructions over that of the mean image of the class."""
    return m["reconstruction_mse"] / m["class_mean_mse"]


def distances(m) -> dict[int, float]:
    """{epoch: Fréchet distance} along a training."""
    return {int(name[14:]): m[name] for name in m if re.fullmatch(r"frechet_after_\d+", name)}


MOMENTS = 4  # distances that a run must have for a race; fewer say too little of when it was near its best


def near_best(m) -> tuple[float, float]:
    """(after, by): the epochs between which the Fréchet distance comes within 10 % of the run's own best.

    By `by` it was measured there first, `after` is the last measured epoch before (0: none), so that the first epoch is
    one of after + 1 to by, if the distance does not dip between two measured epochs. Infinity: no distance is a number.
    """
    known = distances(m)
    least = min(filter(math.isfinite, known.values()), default=math.nan)
    near = [epoch for epoch in sorted(known) if known[epoch] <= 1.1 * least]
    by = near[0] if near else math.inf
    return max((epoch for epoch in known if epoch < by), default=0), by


def faster(a, b) -> bool | None:
    """Whether the first run comes near its best in fewer epochs; None where the two stretches overlap."""
    (after, by), (after_b, by_b) = near_best(a), near_best(b)
    if by <= after_b:
        return True
    return False if by_b <= after + 1 else None


def race_shown(a, b) -> str:
    """The two stretches."""
    return "{0[0]}-{0[1]} against {1[0]}-{1[1]} epochs".format(
        *((after + 1, by) for after, by in map(near_best, (a, b)))
    )
