"""The report's statements that need no training: sections 3.1 to 3.4, and what is printed wrongly there.

    python reproductions/guo/formulas.py --seed=1,2,3

In the order of the text: the minimax game, convolutions and the DCGAN's sides, the bound, the KL's weight in the code.
"""

from absl import flags

from common import experiment
from reproductions.guo import convolutions, elbo, minimax

flags.DEFINE_enum("model", "formulas", ["formulas"], "There is one: formulas.")

EXPERIMENT = experiment.Experiment(
    text="guo",
    name="formulas",
    script=__file__,
    models=elbo.__file__,
    options={"formulas": {"draws": 200_000}},
    scales={},
    variants={"as_described": {}},
    datasets=dict.fromkeys(experiment.SCALES, "digits"),  # the runner wants a data set; no number here depends on it
)


def run(settings, images, work):
    """One record: every formula in the order of the text, and the arrays of the demonstration of section 3.2."""
    seed, draws = settings.seed, settings["draws"]
    metrics = minimax.claim_40(seed, draws) | minimax.claim_41(seed) | minimax.printed_limit(seed)
    metrics |= convolutions.claim_6(seed) | convolutions.claim_38()
    metrics |= elbo.closed_forms(seed, draws) | elbo.bound(seed) | elbo.printed_slips() | elbo.weight_of_kl(seed)
    notes = {"data": "no image is used; the data set named in the settings changes nothing"}
    return experiment.Outcome(
        metrics, convolutions.demonstration(), "closed forms, quadrature, Monte Carlo", split="none", notes=notes
    )


def main():
    for wanted in experiment.asked(EXPERIMENT, ["formulas"]):
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
