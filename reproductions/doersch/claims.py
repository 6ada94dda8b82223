"""How each claim of claims.csv is measured from records."""

from reproductions.doersch import claims_choices, claims_formulas, claims_networks, claims_sizes

MEASURES = claims_formulas.MEASURES | claims_networks.MEASURES | claims_sizes.MEASURES | claims_choices.MEASURES
NOT_RUN = claims_formulas.NOT_RUN
