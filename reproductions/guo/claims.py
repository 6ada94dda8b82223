"""How each claim of claims.csv is measured from records: the work is done in three other files.

A row C..._author puts the claim's rule to the author's published grids and logs; its number stands beside ours, so the
page shows where the author's own figures contradict the sentence. Ours is the run of that code (as_code); a row
C..._described is the network that the text describes, under the same rule. What claims.csv says in `settings` stands
in the reason, beside the verdict that it qualifies.
"""

from dataclasses import replace

from common.reporting.rooms import with_folder
from reproductions.guo import chosen, claims_exact, claims_runs, claims_settings
from reproductions.guo.claims_rules import CLAIMS

VARIANTS = ("as_code", "as_described")  # the row's command says these


def with_caveat(claim, measured):
    """A measure whose reason ends in the claim's `settings`."""
    caveat = "; ".join(part for part in claim.settings.split("; ") if part not in VARIANTS)

    def found(records, results_dir=None):
        measurement = with_folder(measured, results_dir)(records)
        reason = "; ".join(part for part in (measurement and measurement.reason, caveat) if part)
        return measurement and replace(measurement, reason=reason)

    return found


MEASURES = claims_exact.MEASURES | claims_runs.MEASURES | claims_settings.MEASURES
MEASURES = {
    name: measured if CLAIMS[name].kind == "quoted" else with_caveat(CLAIMS[name], measured)
    for name, measured in MEASURES.items()
}
as_at_paper_scale = chosen.as_at_paper_scale
NOT_RUN = claims_exact.NOT_RUN | claims_runs.NOT_RUN | claims_settings.NOT_RUN
