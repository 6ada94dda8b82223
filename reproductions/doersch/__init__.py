"""Doersch, "Tutorial on Variational Autoencoders" (arXiv:1606.05908): its experiments, formulas and sentences."""
