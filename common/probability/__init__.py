"""What formulas say: distributions, objectives, estimators, as functions on plain tensors."""
