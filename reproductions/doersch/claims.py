"""How each claim of claims.csv is measured from records."""

from reproductions.doersch import claims_formulas, claims_networks

MEASURES = claims_formulas.MEASURES | claims_networks.MEASURES
NOT_RUN = claims_formulas.NOT_RUN
