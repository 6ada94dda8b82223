"""Ahmed (2017), chapter 2: PixelVAE, latent variables and an autoregressive decoder on binarised MNIST."""
