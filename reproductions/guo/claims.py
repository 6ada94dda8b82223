"""How each claim of claims.csv is measured from records: the work is done in three other files.

A row C..._author puts the claim's rule to the author's published grids and logs; its number stands beside ours, so the
page shows where the author's own figures contradict the sentence. Ours is the run of that code (as_code); a row
C..._described is the network that the text describes, under the same rule.
"""

from reproductions.guo import chosen, claims_exact, claims_runs, claims_settings

MEASURES = claims_exact.MEASURES | claims_runs.MEASURES | claims_settings.MEASURES
as_at_paper_scale = chosen.as_at_paper_scale
NOT_RUN = claims_exact.NOT_RUN | claims_runs.NOT_RUN | claims_settings.NOT_RUN
