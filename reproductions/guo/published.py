"""What the author's own logs and sample grids say about the sentences, in the names of our runs' metrics.

    python reproductions/guo/published.py

Nothing is trained: one record for each of the five runs, so that a claim's rule can be put to this material as to ours.
"""

from absl import flags

from common import experiment
from reproductions.guo import author, author_measures

flags.DEFINE_list("model", list(author.RUNS), "Which of the author's runs: gan, dcgan, faces, vae, cvae_gan.")

EXPERIMENT = experiment.Experiment(
    text="guo",
    name="published",
    script=__file__,
    models=author_measures.__file__,
    options={run: {"epochs": author.EPOCHS[run]} for run in author.RUNS},
    scales={},
    variants={"as_described": {}},
    datasets=dict.fromkeys(experiment.SCALES, "digits"),  # the runner wants a data set; no number here depends on it
)


def run(settings, images, work):
    """One record of one of the author's runs."""
    metrics, curves = author_measures.measured(settings.model)
    notes = {"data": "numbers from the author's notebooks and pictures; no image set is used"}
    return experiment.Outcome(metrics, curves, "the author's logs and published grids", split="none", notes=notes)


def main():
    for model in flags.FLAGS.model:
        for seed in experiment.seeds():
            experiment.execute(EXPERIMENT, run, experiment.settings(EXPERIMENT, model, seed))


if __name__ == "__main__":
    experiment.main(main)
