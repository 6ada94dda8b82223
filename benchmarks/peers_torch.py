"""The same models and steps in PyTorch: layer sizes, losses, optimiser and batch as in the suite, images in memory."""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

PIXELS = torch.from_numpy((np.random.default_rng(0).random((6000, 1, 28, 28)) < 0.2).astype(np.uint8) * 255)
BATCH = {"dense_vae": 100, "conv_vae": 100, "dcgan": 64}


def dense(sizes):
    stack = [part for a, b in zip(sizes, sizes[1:], strict=False) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*stack[:-1])


def conv_stack(channels, strides):
    parts, previous = [], 1
    for number, (c, s) in enumerate(zip(channels, strides, strict=True)):
        if number == 4:
            parts.append(nn.ZeroPad2d((0, 1, 0, 1)))
        parts += [nn.Conv2d(previous, c, 3, s, 1), nn.ReLU()]
        previous = c
    return parts


class Crop(nn.Module):
    def forward(self, x):
        return x[:, :, :7, :7]


class VAE(nn.Module):
    def __init__(self, encoder, decoder, flat, latent):
        super().__init__()
        self.encoder, self.decoder, self.flat, self.latent = encoder, decoder, flat, latent

    def loss(self, x):
        x = x.flatten(1) if self.flat else x
        mean, log_sd = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mean + log_sd.exp() * torch.randn_like(mean))
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean.square() + torch.exp(2 * log_sd) - 1 - 2 * log_sd).sum()
        return (reconstruction + kl) / len(x)


def dense_vae():
    return VAE(dense((784, 1000, 500, 250, 60)), dense((30, 250, 500, 1000, 784)), True, 30)


def conv_vae():
    encoder = nn.Sequential(
        *conv_stack((32, 32, 32, 64, 64, 64, 64, 64), (1, 2, 1, 2, 1, 2, 1, 1)), nn.Flatten(), nn.Linear(1024, 128)
    )
    up = lambda a, b: nn.ConvTranspose2d(a, b, 3, 2, 1, 1)  # noqa: E731
    conv = lambda a, b: nn.Conv2d(a, b, 3, 1, 1)  # noqa: E731
    stages = [conv(64, 64), conv(64, 64), up(64, 64), conv(64, 64), Crop(), up(64, 32), conv(32, 32), up(32, 32)]
    body = [part for stage in [*stages, conv(32, 32)] for part in (stage, nn.ReLU())]
    decoder = nn.Sequential(nn.Linear(64, 1024), nn.ReLU(), nn.Unflatten(1, (64, 4, 4)), *body, nn.Conv2d(32, 1, 1))
    return VAE(encoder, decoder, False, 64)


def dcgan_networks():
    generator = nn.Sequential(
        nn.Linear(128, 4096), nn.Unflatten(1, (256, 4, 4)), nn.BatchNorm2d(256), nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 5, 2, 2, 1), Crop(), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1), nn.Sigmoid(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 5, 2, 2), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 5, 2, 2), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4096, 1),
    )  # fmt: skip
    return generator, discriminator


def vae_step(model, batch):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step():
        x = PIXELS[torch.randint(len(PIXELS), (batch,))].float() / 255
        optimizer.zero_grad()
        loss = model.loss((torch.rand_like(x) < x).float())
        loss.backward()
        optimizer.step()
        return loss

    return step


def dcgan_step(batch):
    generator, discriminator = dcgan_networks()
    optimizers = [torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (generator, discriminator)]

    def step():
        x = PIXELS[torch.randint(len(PIXELS), (batch,))].float() / 255
        fake = generator(torch.randn(batch, 128)).detach()
        optimizers[1].zero_grad()
        real_logits, fake_logits = discriminator(torch.cat([x, fake])).chunk(2)
        loss = functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()
        loss.backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        loss = functional.softplus(-discriminator(generator(torch.randn(batch, 128)))).mean()
        loss.backward()
        optimizers[0].step()
        return loss

    return step


def contender(game, compiled=False):
    batch = BATCH[game]
    if game == "dcgan":
        step = dcgan_step(batch)
        step = torch.compile(step) if compiled else step
    else:
        model = {"dense_vae": dense_vae, "conv_vae": conv_vae}[game]()
        if compiled:
            model.loss = torch.compile(model.loss)
        step = vae_step(model, batch)

    def run(steps):
        started = time.monotonic()
        for _ in range(steps):
            loss = step()
        float(loss)
        return time.monotonic() - started, 0.0, batch

    return run
