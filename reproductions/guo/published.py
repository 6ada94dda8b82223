"""What the author's own logs and sample grids say about the sentences, in the names of our runs' metrics.

    python reproductions/guo/published.py
    python reproductions/guo/published.py --model=kept_pictures --dataset=mnist

Nothing is trained: one record for each of the five runs, so that a claim's rule can be put to this material as to ours.
kept_pictures puts the rule of the author's CVAE-GAN grids to the pictures that our CVAE-GANs of the same scale left;
after new ones, give the command again with --rerun.
"""

from absl import flags

from common import experiment
from reproductions.guo import author, author_measures, neighbours

flags.DEFINE_list(
    "model", list(author.RUNS), "Which of the author's runs: gan, dcgan, faces, vae, cvae_gan; or ours: kept_pictures."
)

EXPERIMENT = experiment.Experiment(
    text="guo",
    name="published",
    script=__file__,
    models=author_measures.__file__,
    options={run: {"epochs": author.EPOCHS[run]} for run in author.RUNS} | {"kept_pictures": {}},
    scales={},
    variants={"as_described": {}},
    datasets=dict.fromkeys(experiment.SCALES, "digits"),  # no number of the author's depends on it
)


def run(settings, images, work):
    """One record of one of the author's runs, or of all pictures kept of ours."""
    if settings.model == "kept_pictures":
        metrics, arrays, notes = neighbours.of_all(experiment.results_dir(), settings.scale, images)
        return experiment.Outcome(metrics, arrays, f"{neighbours.NEIGHBOURS} nearest test digits", notes=notes)
    metrics, curves = author_measures.measured(settings.model)
    notes = {"data": "numbers from the author's notebooks and pictures; no image set is used"}
    return experiment.Outcome(metrics, curves, "the author's logs and published grids", split="none", notes=notes)


def main():
    for wanted in experiment.asked(EXPERIMENT, flags.FLAGS.model):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
