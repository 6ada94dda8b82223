"""Guo (2023): GAN, DCGAN, VAE and CVAE-GAN on MNIST and faces."""
