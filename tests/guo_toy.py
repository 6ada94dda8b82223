"""Synthetic records of Guo's room: every metric and array that its scripts write, without any training.

Numbers are drawn at random around plausible values, a little apart for each seed; pictures are blobs. What a verdict
says of them means nothing; what counts is that every claim, table and figure reads them.
"""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.reporting.records import Record, save_scores
from common.reporting.rooms import find_rooms, tell, with_folder
from reproductions.guo import author, author_measures, chosen, claims, claims_rules

CLAIMS = claims_rules.CLAIMS

SAMPLES = {
    "frechet": 40, "frechet_q1": 100, "frechet_q2": 80, "frechet_q3": 60, "frechet_test_halves": 0.5,
    "precision": 0.6, "recall": 0.3, "label_entropy_nats": 2.1, "label_entropy_nats_q1": 1.9,
    "label_entropy_nats_q2": 2, "label_entropy_nats_q3": 2, "classes": 10, "classes_q1": 9, "classes_q2": 9,
    "classes_q3": 10, "sure": 0.8, "edge_variance": 0.14, "edge_variance_test": 0.1576, "grey_fraction": 0.55,
    "grey_fraction_test": 0.489, "border_mean": 0.008, "border_mean_test": 0.0054, "mean_pairwise_distance": 9,
    "mean_pairwise_distance_test": 10, "nearest_test": 4.5, "nearest_within": 5, "nearest_within_test": 6,
    "within_class_variance": 0.04, "within_class_variance_test": 0.0531, "judge_accuracy": 0.993, "epochs_to_best": 12,
} | {f"share_{digit}": 0.1 for digit in range(10)}  # fmt: skip
LATENT = {"z_neighbour_accuracy": 0.5, "z_linear_accuracy": 0.4, "z_label_changes": 2, "z_path_length": 1.5,
          "z_label_share_max": 0.2}  # fmt: skip
LOSSES = {
    "d_loss_last": 0.95, "g_loss_last": 1.6, "D_x_last": 0.7, "D_Gz_last": 0.3, "d_loss_first": 0.4, "g_loss_first": 4,
    "d_loss_last_fifth": 0.9, "g_loss_last_fifth": 1.6, "d_loss_spearman": 0.8, "g_loss_spearman": -0.8,
    "g_loss_slope": -0.01, "g_loss_log_step": 0.1, "parameters_discriminator": 267_009, "parameters_generator": 283_920,
}  # fmt: skip
OF_VAE = {
    "test_loss_nats": 149, "test_reconstruction_nats": 142, "test_kl_nats": 6.6, "best_test_loss_nats": 148,
    "best_test_reconstruction_nats": 142, "best_test_kl_nats": 6.5, "best_epoch": 120, "first_test_loss_nats": 174,
    "first_batch_loss_nats": 550, "train_loss_nats": 141, "test_z_neighbour_accuracy": 0.8,
    "test_z_linear_accuracy": 0.6, "active_units": 2, "manifold_step_evenness": 2,
    "manifold_label_changes": 4, "parameters": 404_244,
}  # fmt: skip
OF_CVAE = {
    "loss_D_last": 0.0005, "loss_C_last": 0.0001, "loss_G_last": 0.09, "first_loss_G": 4_000,
    "loss_C_epochs_to_0.001": 30, "classifier_accuracy": 0.99, "requested_accuracy": 0.97, "z_explained": 0.02,
    "within_class_variance_ratio": 0.01, "z_share": 0.01, "label_share": 0.98, "both_share": 0.01, "active_units": 1,
    "test_kl_nats": 0.0007, "reconstruction_mse": 0.053, "class_mean_mse": 0.053, "D_x": 0.99, "D_x_f": 0.96,
    "D_x_p": 0.96, "D_Gu": 0.01, "walk_both_monotone": 1, "walk_z_monotone": 0, "walk_label_monotone": 1,
    "walk_both_evenness": 1.5, "walk_z_evenness": 2, "walk_label_evenness": 1.5, "walk_both_length": 8,
    "walk_z_length": 0.1, "walk_label_length": 8, "walk_z_reached": 0.01,
    "walk_label_reached": 0.98, "walk_both_reached": 0.99, "parameters_E": 400_000, "parameters_G": 110_521,
    "parameters_D": 3_232_129, "parameters_C": 3_241_354,
} | {f"requested_accuracy_{digit}": 0.97 for digit in range(10)}  # fmt: skip
OF_FACES = {
    "frechet": 50, "frechet_halves": 5, "edge_variance": 0.02, "edge_variance_test": 0.02, "edge_ratio": 1.0,
    "pairwise_ratio": 0.95, "duplicated_pairs": 0, "duplicated_pairs_test": 0, "precision": 0.6, "recall": 0.2,
    "n_train": 9_000, "feature_accuracy": 0.9,
}  # fmt: skip

METRICS = {
    "gan": SAMPLES | LATENT | LOSSES | {"frechet_inference": 41},
    "faces": OF_FACES | LOSSES,
    "vae": SAMPLES | LATENT | OF_VAE,
    "cvae_gan": SAMPLES | OF_CVAE,
}
VARIANTS = {
    ("gan", "gan"): ("as_code", "as_described", "latent_2", "dcgan_settings", "radford_settings", "lr_0.0001",
                     "lr_0.0004", "batch_50", "batch_200"),
    ("gan", "dcgan"): ("as_code", "as_described", "one_step", "strided", "batch_norm", "saturating", "three_steps",
                       "printed_rates"),
    ("faces", "dcgan"): ("as_described", "mnist_net", "no_batch_norm", "flips"),
    ("vae", "vae"): ("as_code", "as_text", "latent_10", "latent_32", "beta_4", "beta_0.25", "squared_error",
                     "lr_0.0003", "lr_0.003"),
    ("cvae_gan", "cvae_gan"): ("as_code", "as_described", "kl_scaled", "kl_batch_mean", "no_features", "no_gd", "no_gc",
                               "gc_0.1", "no_discriminator", "no_classifier", "pixels_only"),
}  # fmt: skip
CURVES = {
    "gan": ("d_loss", "g_loss", "D_x", "D_Gz", "D_Gz_after"),
    "faces": ("d_loss", "g_loss", "D_x", "D_Gz", "D_Gz_after"),
    "vae": ("loss", "reconstruction", "kl", "test_loss", "test_reconstruction", "test_kl"),
    "cvae_gan": ("loss_D", "loss_C", "loss_G", "loss_E", "kl"),
}
OPTIONS = {"batch": 128, "latent": 100, "hidden": 256, "learning_rate": 2e-4, "beta_1": 0.5, "d_steps": 1}


def write_all(results: Path, seeds=(1, 2, 3), scale="cpu", epochs=20) -> None:
    """Records of every run of the room below `results`; epochs=None: as many as the author's."""
    for (experiment, model), variants in VARIANTS.items():
        for variant in variants:
            for seed in seeds:
                write(results, experiment, model, variant, seed, scale, epochs)


def write(results, experiment, model, variant, seed, scale="cpu", epochs=20) -> Record:
    """One record with its arrays."""
    rng = np.random.default_rng(zlib.crc32(f"{experiment} {model} {variant} {seed}".encode()))
    epochs = epochs or author.EPOCHS[model if experiment == "gan" else experiment]
    dataset = "anime_faces" if experiment == "faces" else "mnist"
    metrics = {name: value * (1 + 0.02 * rng.normal()) for name, value in METRICS[experiment].items()}
    metrics |= {
        name: value
        for name, value in METRICS[experiment].items()
        if name.startswith(("param", "class", "dupl", "frechet_test"))
    }
    kept = arrays(experiment, model, epochs, rng)
    if "frechet_curve" in kept:
        way = zip(kept["frechet_epochs"], kept["frechet_curve"], strict=True)
        metrics |= {f"frechet_after_{epoch}": float(distance) for epoch, distance in way}
    name = f"{scale}-{model}-{variant}-{dataset}-s{seed}"
    path = f"scores/guo/{experiment}/{name}.npz"
    digest = save_scores(Path(results) / path, **kept)
    record = Record(
        text="guo", experiment=experiment, name=name, metrics=metrics, evaluator=f"judge, and what {experiment} needs",
        settings={"model": model, "variant": variant, "scale": scale, "dataset": dataset, "seed": seed, "key": {},
                  "options": OPTIONS | {"epochs": epochs}},
        data={"name": dataset, "binarisation": "probabilities" if experiment == "vae" else "none", "split": "test",
              "stand_in": "10,000 faces, not the author's crawl" if experiment == "faces" else ""},
        files={"scores": path}, sha256={"scores": digest}, seconds=60.0,
        steps=epochs * author.STEPS_AN_EPOCH[model if experiment == "gan" else experiment],
        command=f"python reproductions/guo/{experiment}.py --scale={scale} --variant={variant} --seed={seed}",
        code={"fingerprint": "0" * 16, "modules": {}}, machine={"cpu": "Some CPU", "cores": 2, "memory_gb": 8},
    )  # fmt: skip
    record.save(results)
    return record


def blobs(rng, *shape):
    """uint8 pictures [*shape, 28, 28] of one soft stroke each."""
    y, x = np.mgrid[:28, :28]
    centre, slope = rng.uniform(8, 20, (2, *shape, 1, 1)), rng.uniform(-1, 1, (*shape, 1, 1))
    across = (x - centre[0]) - slope * (y - centre[1])
    inside = np.abs(y - 14) < 9
    return np.uint8(255 * np.exp(-((across / 2) ** 2)) * inside)


def arrays(experiment, model, epochs, rng) -> dict[str, np.ndarray]:
    """What the script of `experiment` keeps beside its metrics."""
    t = np.linspace(0, 1, epochs)
    size, bottom = (30.0, 148.0) if experiment == "vae" else (1.0, 0.3)
    found = {f"curve_{name}": bottom + size * (np.exp(-9 * t) + 0.02 * rng.normal(size=epochs))
             for name in CURVES[experiment]}  # fmt: skip
    run = model if experiment == "gan" else experiment
    steps = np.add.outer(author.STEPS_AN_EPOCH[run] * np.arange(epochs), author.MOMENTS[run]).ravel() + 1
    found["step_at"] = steps
    for name in CURVES[experiment]:
        if not name.startswith("test_"):
            smooth = np.interp(steps / steps[-1], t, found[f"curve_{name}"])
            found[f"step_{name}"] = smooth * rng.uniform(0.95, 1.05, len(steps))
    quarters = np.maximum(1, np.round(epochs * np.array([0.25, 0.5, 0.75, 1]))).astype(int)
    found |= {"grid_epochs": quarters}
    if experiment == "faces":
        colours = rng.uniform(0, 255, (4, 64, 1, 1, 3)) * np.ones((1, 1, 64, 64, 1))
        found |= {f"grid_q{q + 1}": np.uint8(colours[q]) for q in range(4)} | {"real": np.uint8(colours[0])}
        return found
    count = 96 if experiment == "cvae_gan" else 100
    found |= {f"grid_q{q}": blobs(rng, count) for q in (1, 2, 3, 4)}
    found |= {"sample_labels": rng.integers(0, 10, 1_000), "frechet_epochs": np.array([1, 2, 3, 4, epochs]),
              "frechet_curve": np.array([200.0, 150, 90, 60, 50])}  # fmt: skip
    if experiment == "vae":
        labels = rng.integers(0, 10, 1_000)
        angle = 2 * np.pi * labels / 10
        z = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.3 * rng.normal(size=(1_000, 2))
        found |= {"scatter_labels": labels, "scatter_z": z, "manifold": blobs(rng, 400)}
    if experiment == "cvae_gan":
        found |= {"grid_labels": np.arange(96) % 10, "classes": blobs(rng, 10, 8), "walk": blobs(rng, 10, 10),
                  "labels_swapped": blobs(rng, 10, 10),
                  "walk_probability": np.sort(rng.uniform(size=(10, 8)), axis=1)}  # fmt: skip
    return found


def of_length(record, epochs):
    """The record after so many of the author's epochs."""
    settings = record.settings | {"options": record.settings["options"] | {"epochs": epochs}}
    return replace(record, settings=settings, steps=epochs * author.STEPS_AN_EPOCH[chosen.run_of(record)])


def measured(claim, records, folder=None):
    """What a measure gives; folder: where the arrays of the records lie."""
    return with_folder(claims.MEASURES[claim], folder)(records)


def told(folder):
    """{claim: row of the page} of the records below a folder."""
    (room,) = (room for room in find_rooms() if room.name == "guo")
    return {row.claim.claim_id: row for row in tell(room, folder).rows}


def write_published(folder):
    """The records of published.py, with their arrays."""
    for run in author.RUNS:
        metrics, curves = author_measures.measured(run)
        path = f"scores/guo/published/cpu-{run}.npz"
        digest = save_scores(folder / path, **curves)
        Record(text="guo", experiment="published", name=f"cpu-{run}", settings={"model": run, "scale": "cpu"},
               metrics=metrics, data={"name": "digits", "stand_in": "embedded"}, files={"scores": path},
               sha256={"scores": digest}).save(folder)  # fmt: skip
