"""Measures of what is said of Table 4.1's models beyond it: likelihoods, trivial scores, few data, batch norm."""

from pathlib import Path

import numpy as np

from common.evaluation import detection
from common.reporting.claims import Measurement
from common.reporting.records import load_scores, of_one_set, select
from common.reporting.rooms import SCALES
from common.reporting.verdicts import t_interval
from reproductions.ahmed_ch4.intervals import hull
from reproductions.ahmed_ch4.lengths import SEEDS, from_three_seeds, numbers, of_trainings, shortened
from reproductions.ahmed_ch4.selection import (
    ACROSS_DIGITS,
    ACROSS_MODELS,
    ALL,
    DENSITIES,
    DIGITS,
    EXPLICIT,
    SIMPLE,
    TEN_TRAININGS,
    TRIVIAL,
    auprs,
    complete,
    lettered,
    on_fewer_images,
    unfinished,
)  # fmt: skip
from reproductions.ahmed_ch4.states import averaged, has_states


def nats(model: str, part: str) -> str:
    """Name of the metric of nats that a model's score is: exact for the PixelCNN."""
    return f"nll_{part}_nats" if model == "pixelcnn" else f"nll_bound_{part}_nats"


def higher_when_held_out(model: str):
    """Measure of no. 35: digits at which the mean negative log-likelihood held out exceeds that of the rest."""

    def found(records) -> Measurement | None:
        seeds = complete(records, model)
        if not seeds:
            return unfinished(records, (model,))
        gaps = [
            [r.metrics[nats(model, "held_out")] - r.metrics[nats(model, "rest")] for r in rows] for (rows,) in seeds
        ]
        shown = "difference in nats by digit: " + " ".join(f"{gap:.1f}" for gap in gaps[0])
        used = [r for (rows,) in seeds for r in rows]
        return of_trainings(used, [sum(gap > 0 for gap in each) for each in gaps], text=shown, across=ACROSS_DIGITS)

    return from_three_seeds(found)


def logits_when_held_out(records, results_dir=None) -> Measurement | None:
    """No. 35 for the DCGAN, whose score is no likelihood: minus the mean logit, from the raw scores, by both logits."""
    seeds = [rows for (rows,) in complete(records, "dcgan")]
    if not seeds or results_dir is None:
        return unfinished(records, ("dcgan",))
    counts, shown = {"logit": [], "logit_averaged": []}, []
    for rows in seeds:
        arrays = [load_scores(Path(results_dir) / r.files["scores"]) for r in rows]
        for name, found in counts.items():
            gaps = [mean_gap(a[name], a["label"] == digit) for digit, a in zip(DIGITS, arrays, strict=True)]
            found.append(sum(gap > 0 for gap in gaps))
            shown.append(f"{name.replace('_', ' ')}: {found[-1]} digits, " + " ".join(f"{gap:.1f}" for gap in gaps))
    used = [r for rows in seeds for r in rows]
    both = [*counts["logit"], *counts["logit_averaged"]]
    text = "difference of minus the mean logit by digit; " + "; ".join(shown[:2])
    return of_trainings(used, counts["logit"], interval=(min(both), max(both)), text=text, across=ACROSS_DIGITS)


def mean_gap(values, positive) -> float:
    """Mean score of the positives minus that of the rest."""
    values = values.astype(np.float64)
    return float(values[positive].mean() - values[~positive].mean())


def over_trivial(model: str, names):
    """Measure of no. 19: mean AUPR of a model minus the mean of the best of some trivial scores, seed by seed.

    One seed: Student's interval over the digits (the DCGAN: the outer ends over both of its scores); several: Student's
    over the seeds.
    """

    def found(records) -> Measurement | None:
        seeds = complete(records, model, "trivial")
        if not seeds:
            return unfinished(records, (model, "trivial"))
        bests = [max((by_name(trivial, n) for n in names), key=lambda each: each[1].mean()) for _, trivial in seeds]
        values = [np.mean(auprs(rows) - best) for (rows, _), (_, best) in zip(seeds, bests, strict=True)]
        (rows, trivial), (name, best) = seeds[0], bests[0]
        shown = f"the best of them, {TRIVIAL[name]}, {best.mean():.2f}; {model} {auprs(rows).mean():.2f}"
        columns = [auprs(rows)]
        if has_states(rows):
            columns.append(averaged(rows))
            shown += f", by the logit averaged over the last states {averaged(rows).mean():.2f}"
        if "mixture" in names:
            nll = np.mean([r.metrics[nats(model, "rest")] for r in rows])
            mixture = np.mean([r.metrics["nll_mixture_rest_nats"] for r in trivial])
            shown += f"; negative log-likelihood of the rest, nats: {model} {nll:.1f}, mixture {mixture:.1f}"
        one = hull(*(t_interval(tuple(column - best)) for column in columns))
        interval = t_interval(tuple(map(float, values))) if len(seeds) > 1 else one
        used = [r for each in seeds for rows in each for r in rows]
        return of_trainings(used, values, interval=interval, text=shown, across=ACROSS_MODELS)

    return found


def by_name(trivial, name: str):
    """(name, its AUPR for every record of the trivial scores)."""
    return name, np.array([r.metrics[f"aupr_{name}"] for r in trivial])


def metric_difference(a, b, name, text, premise=None, reached=False):
    """Measure: mean over the ten digits of name(a) of model `a` minus name(b) of model `b`, with their interval.

    premise({model: records of the first seed}): "" or why the claim does not apply; then there is no value.
    """

    def found(records) -> Measurement | None:
        seeds = complete(records, a, b)
        if not seeds:
            return unfinished(records, (a, b))
        first = dict(zip((a, b), seeds[0], strict=True))
        if premise and premise(first):
            return Measurement(reason=premise(first))
        columns = [
            [np.array([r.metrics[name(m)] for r in rows]) for m, rows in zip((a, b), tables, strict=True)]
            for tables in seeds
        ]
        more = {}
        if len(seeds) == 1:
            more = {"interval": t_interval(tuple(columns[0][0] - columns[0][1])), "one_seed_reason": TEN_TRAININGS}
        used = [r for tables in seeds for rows in tables for r in rows]
        return of_trainings(
            used, [np.mean(x - y) for x, y in columns], reached, text=text(first), across=ACROSS_MODELS, **more
        )

    return found


def bounds_compared(records) -> Measurement | None:
    """No. 18b, undecided while the VAE is trained shorter than at paper scale: longer, it may reach the PixelVAE.

    What a short PixelVAE has reached a longer one reaches, too, so its own length does not matter.
    """
    found = metric_difference("vae", "pixelvae", lambda m: nats(m, "rest"), both_bounds, reached=True)(records)
    vaes = [r for r in found.records if r.settings["model"] == "vae"] if found and found.values else []
    if not shortened(vaes):
        return found
    longer = select(records, experiment="ood", model="vae", variant="epochs_40")
    rows = [
        f"digit {r.settings['key']['held_out']} after {r.settings['options']['epochs']} epochs "
        f"{r.metrics[nats('vae', 'rest')]:.2f}"
        for r in longer
    ]
    more = f"; VAE trained longer: {', '.join(rows)}" if rows else ""
    return Measurement(
        reason=f"measured {numbers(found)}{more}; {shortened(found.records)}: of unequal length, and the VAE's bound "
        "still falls"
    )


def better_likelihood(rows) -> str:
    """No. 18 speaks of a PixelCNN whose likelihood is better than the VAE's: than its importance-sampled estimate.

    That is an upper bound, too, of the VAE's negative log-likelihood, and nearer to it than the ELBO.
    """
    vae = np.mean([r.metrics.get("nll_estimate_rest_nats", r.metrics[nats("vae", "rest")]) for r in rows["vae"]])
    pixelcnn = np.mean([r.metrics[nats("pixelcnn", "rest")] for r in rows["pixelcnn"]])
    told = f"not better here: {pixelcnn:.2f} nats, the VAE's by importance sampling {vae:.2f}"
    return "" if pixelcnn < vae else f"the PixelCNN's likelihood is {told}"


def likelihoods_beside(rows) -> str:
    """Which of two models has the better likelihood: a claim's condition."""
    found = {model: np.mean([r.metrics[nats(model, "rest")] for r in used]) for model, used in rows.items()}
    return "negative log-likelihood (PixelCNN) or its bound of the rest, nats: " + ", ".join(
        f"{m} {value:.1f}" for m, value in found.items()
    )


def both_bounds(rows) -> str:
    """Negative ELBO and importance-weighted bound of two models, and what digit 5 has: it was trained longer, too."""
    words = []
    for model, used in rows.items():
        bound, estimate = (
            np.mean([r.metrics.get(name, np.nan) for r in used])
            for name in (nats(model, "rest"), "nll_estimate_rest_nats")
        )
        five = used[5].metrics[nats(model, "rest")]
        draws = used[0].settings["options"].get("importance_samples", "k")
        words.append(f"{model} -ELBO {bound:.2f} (digit 5: {five:.2f}), -L_{draws} {estimate:.2f}")
    return "bounds of the rest, nats: " + "; ".join(words)


def kl_beside(rows) -> str:
    found = {model: np.mean([r.metrics["kl_rest_nats"] for r in used]) for model, used in rows.items()}
    words = ", ".join(f"{m} {value:.1f}" for m, value in found.items())
    ends = "with masked layers and without, the ends of the sentence; by their number: Figure 2.4b, chapter 2"
    return f"KL of the rest, nats: {words}; {ends}"


def classifier_beside(rows) -> str:
    """AUPR of classifier and VAE, digit by digit, and how well the classifier knows its own classes."""
    pairs = zip(auprs(rows["classifier"]), auprs(rows["vae"]), strict=True)
    each = ", ".join(f"{digit}: {a:.1f} ({b:.1f})" for digit, (a, b) in enumerate(pairs))
    entropy, accuracy = (
        np.mean([r.metrics[name] for r in rows["classifier"]]) for name in ("aupr_entropy", "accuracy_rest")
    )
    return (
        f"classifier (VAE) by digit: {each}; by entropy {entropy:.1f} on average; accuracy on the nine "
        f"{accuracy:.1f} %; it was given labels"
    )


def with_little_data(metric: str, shown):
    """Measure of no. 33: a metric on a tenth of the images minus its mean over the seeds on all, for as many steps;
    mean over the digits that have it. shown(digit, few, whole): a digit's words.
    """

    def found(records) -> Measurement | None:
        pairs = on_fewer_images(records)
        if len(pairs) < 2:
            return None
        cells = [
            (few.settings["key"]["held_out"], few.metrics[metric], float(np.mean([r.metrics[metric] for r in whole])))
            for few, whole in pairs
        ]
        less = tuple(few - whole for _, few, whole in cells)
        length = shortened([r for _, whole in pairs for r in whole])
        seeds = max(len(whole) for _, whole in pairs)
        return of_trainings(
            [record for few, whole in pairs for record in (few, *whole)], [np.mean(less)], interval=t_interval(less),
            reason=length and f"{length} of all images, and as many steps on a tenth of them",
            text="; ".join(shown(*cell) for cell in cells), across=ACROSS_DIGITS,
            one_seed_reason=f"a training a digit on a tenth of the images, {seeds} on all; Student's interval over the "
            "digits",
        )  # fmt: skip

    return found


def leaks_the_population(records, results_dir=None) -> Measurement | None:
    """No. 37: how far AUPR in batches of one class is from AUPR in mixed ones, batch norm in the discriminator.

    Below three trainings the interval is the range over the ten digits as positives of the same scores: nine of them
    were trained on, but how much a batch of one class moves them is as much a matter of chance.
    """
    found = select(records, experiment="population", model="normed_dcgan", held_out=2)
    found = of_one_set(next((at for scale in SCALES if (at := [r for r in found if r.scale == scale])), []))
    if not found:
        return None
    shown = [f"{name} {found[0].metrics[f'aupr_{name}']:.1f}" for name in ("pure", "mixed", "running")]
    more = {"text": "AUPR " + ", ".join(shown)}
    if len(found) < SEEDS and results_dir is not None:
        gaps = by_positives(load_scores(Path(results_dir) / found[0].files["scores"]))
        more["interval"] = hull(*((abs(gap), abs(gap)) for gap in gaps.values()))
        each = ", ".join(f"{digit}: {gap:+.1f}" for digit, gap in gaps.items())
        more["text"] += f"; pure minus mixed by the digit that is taken as positive: {each}"
        more["reason"] = f"{shortened(found)}; one discriminator, one state; interval: the same scores, every digit"
    return of_trainings(found, lambda r: abs(r.metrics["aupr_pure_minus_mixed"]), **more)


def by_positives(arrays) -> dict[int, float]:
    """{digit: AUPR in batches of one class minus that in mixed ones, points, the digit's test images as positives}."""
    areas = {
        name: [100 * detection.average_precision(arrays[name], arrays["label"] == digit) for digit in DIGITS]
        for name in ("pure", "mixed")
    }
    return {digit: float(areas["pure"][digit] - areas["mixed"][digit]) for digit in DIGITS}


def aupr_shown(digit, few, whole) -> str:
    return f"digit {digit}: {few:.1f} against {whole:.1f}"


MEASURES = {
    "C18": metric_difference("vae", "pixelcnn", lambda _: "aupr", likelihoods_beside, better_likelihood),
    "C18b": bounds_compared,
    "C26": metric_difference("pixelvae", "vae", lambda _: "kl_rest_nats", kl_beside),
    "C33": with_little_data("aupr", aupr_shown),
    "C34": metric_difference("classifier", "vae", lambda _: "aupr", classifier_beside),
    "C33b": with_little_data("nll_bound_held_out_nats", aupr_shown),
    "C35d": from_three_seeds(logits_when_held_out),
    "C37": leaks_the_population,
}
MEASURES |= lettered("C19", "abcd", ALL, lambda model: over_trivial(model, SIMPLE))
MEASURES |= lettered("C19", "efg", EXPLICIT, lambda model: over_trivial(model, DENSITIES))
MEASURES |= lettered("C35", "abc", EXPLICIT, higher_when_held_out)
