"""Numbers made of the metrics of one or two runs: the same functions judge our runs and the author's own material."""

import math
import re


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


def parts(a, b) -> dict[str, bool]:
    """In which of QUALITY the first run is better; a metric that the material does not have is left out."""
    found = {}
    for name in QUALITY:
        if name not in a:
            continue
        if name in ("border_mean", "edge_variance"):  # nearer to the real digits
            found[name] = abs(a[name] - a[f"{name}_test"]) < abs(b[name] - b[f"{name}_test"])
        else:
            found[name] = a[name] < b[name] if name == "nearest_test" else a[name] > b[name]
    return found


def better_parts(a, b) -> int:
    """How many parts of QUALITY the first run wins."""
    return sum(parts(a, b).values())


def parts_shown(a, b) -> str:
    """The parts with their two numbers."""
    names = {"border_mean": "border", "edge_variance": "edges", "nearest_test": "nearest", "precision": "precision"}
    won = parts(a, b)
    return ", ".join(f"{names[n]} {a[n]:.3g} / {b[n]:.3g} {'better' if won[n] else 'worse'}" for n in won)


def outperforms(a, b) -> int:
    """How many of the six parts of claims 7 and 8 hold for the first run against the second."""
    held = [
        better_parts(a, b) >= 3,
        "frechet" in a and a["frechet"] < b["frechet"],
        a["g_loss_slope"] <= 0,
        a["g_loss_log_step"] < b["g_loss_log_step"],
        a["d_loss_last"] > 0.1,
        a["classes"] >= 9,
    ]
    return sum(held)


def shares_shown(m) -> str:
    """The digits that hold a hundredth of the samples or more, most frequent first."""
    shares = sorted(((m[f"share_{d}"], d) for d in range(10) if m[f"share_{d}"] >= 0.01), reverse=True)
    return "digits " + ", ".join(f"{d}: {share:.0%}" for share, d in shares)


def between_vae_and_real(m, vae):
    """Where the edge variance lies: 0 at the VAE's, 1 at that of real digits."""
    return (m["edge_variance"] - vae["edge_variance"]) / (m["edge_variance_test"] - vae["edge_variance"])


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


def common_epochs(a, b) -> list[int]:
    """The epochs after which the Fréchet distance of both is known."""
    return sorted(set(distances(a)) & set(distances(b)))


def race(a, b) -> tuple[float, float, int]:
    """(epoch of the first, of the second, last common one) at which the Fréchet distance is within 10 % of its best.

    Runs of unequal length and unequal moments: both are cut to `common_epochs`; there must be one.
    """
    found, common = [distances(m) for m in (a, b)], common_epochs(a, b)
    best = [min(each[epoch] for epoch in common) for each in found]
    near = ([e for e in common if each[e] <= 1.1 * least] for each, least in zip(found, best, strict=True))
    first, second = ((epochs or [math.inf])[0] for epochs in near)  # infinity: the distances are no numbers
    return first, second, common[-1]


def faster(a, b) -> bool:
    """Whether the first run is near its best in fewer epochs."""
    first, second, _ = race(a, b)
    return first < second


def race_shown(a, b) -> str:
    """The two epochs, and how far both runs are looked at."""
    return "{} against {} epochs, of the first {}".format(*race(a, b))
