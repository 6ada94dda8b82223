"""How results are told: records, claims, verdicts, tables, figures, pages. Nothing here imports TensorFlow.

Everything after a record is a pure function of `results/records/`: the same records give the same bytes.
"""
