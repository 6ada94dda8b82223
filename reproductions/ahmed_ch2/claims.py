"""How each claim of claims.csv is measured from records."""

from reproductions.ahmed_ch2 import claims_figures, claims_formulas, claims_table
from reproductions.ahmed_ch2.selection import with_length

TRAINED = claims_table.MEASURES | claims_figures.MEASURES
MEASURES = {claim: with_length(measure) for claim, measure in TRAINED.items()} | claims_formulas.MEASURES
NOT_RUN = claims_figures.NOT_RUN | claims_formulas.NOT_RUN
