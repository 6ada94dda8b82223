"""What captions and notes say: what is printed; of the nets, scale, data, length, schedule, width and machine."""

import functools
from pathlib import Path

from common.reporting.claims import Claim, load_claims
from common.reporting.tables import where_trained as by_machine
from reproductions.ahmed_ch2.selection import learning_rate, schedule, warm_up


@functools.cache  # asked for every row and every bar
def claims() -> dict[str, Claim]:
    """{claim id: claim} of this chapter."""
    return {claim.claim_id: claim for claim in load_claims(Path(__file__).with_name("claims.csv"))}


def printed() -> dict[str, str]:
    """{claim id: what is printed}."""
    return {name: claim.printed.replace("<=", "≤") for name, claim in claims().items()}


def scale_and_data(record) -> str:
    """Scale and data, for captions."""
    return f"{record.scale} scale, {record.data['name']}{' (stand-in)' if record.stand_in else ''}."


def origin(record) -> str:
    """Scale, data, iterations, KL warm-up and learning rate, for captions."""
    said = [f"{scale_and_data(record).removesuffix('.')}", f"{record.steps:,} iterations", *schedule([record])]
    return f"{', '.join(said)}."


def origins(nets) -> str:
    """`origin` of several nets, {title: record}: once for all where they differ in their schedules at most."""
    records = list(nets.values())
    if len({(scale_and_data(r), r.steps) for r in records}) > 1:
        return " ".join(f"{title}: {origin(r)}" for title, r in nets.items())
    titles = {}
    for title, r in sorted(nets.items(), key=lambda net: (warm_up(net[1]), learning_rate(net[1]))):
        titles.setdefault(", ".join(schedule([r])), []).append(title)
    shared = f"{scale_and_data(records[0]).removesuffix('.')}, {records[0].steps:,} iterations"
    said = {how: ", ".join(names) for how, names in titles.items() if how}
    if len(said) > 1:
        return f"{shared}, {'; '.join(f'{how} ({names})' for how, names in said.items())}."
    return f"{shared}, {next(iter(said))}." if said else f"{shared}."


def schedules(records) -> str:
    """ "2,000 iterations, KL warm-up 200; 16,000 iterations, KL warm-up 5,000", by length."""
    said = []
    for steps in sorted({r.steps for r in records}):
        said.append(", ".join([f"{steps:,} iterations", *schedule([r for r in records if r.steps == steps])]))
    return "; ".join(said)


def of_nets(nets) -> str:
    """`origins`, and the width of the nets."""
    return f"{widths(nets)}; {origins(nets)}"


def widths(nets) -> str:
    """ "Width 16", or "Width 16 (PixelVAE, Gated PixelCNN), 32 (Convolutional VAE)", of {title: record}."""
    titles = {}
    for title, r in nets.items():
        titles.setdefault(r.settings["options"]["width"], []).append(title)
    if len(titles) == 1:
        return f"Width {next(iter(titles))}"
    return "Width " + ", ".join(f"{width} ({', '.join(of)})" for width, of in sorted(titles.items()))


def where_trained(nets) -> str:
    """ "VAE: seed 1 on a CPU; seeds 2, 3 on NVIDIA H100. " of {title: records}; "" if all trained on one machine."""
    each = {title: by_machine(found) for title, found in nets.items()}
    said = "".join(f"{title}: {'; '.join(seeds.values())}. " for title, seeds in each.items())
    return f"Trained, {said}" if len({at for seeds in each.values() for at in seeds}) > 1 else ""
