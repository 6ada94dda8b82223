"""How long nets of a claim were trained: only equal lengths are compared, and shortened ones say so."""

import numpy as np

from common.reporting.claims import Measurement, measure
from reproductions.doersch.claims_formulas import stand_in

INITIAL = ("he", "sparse15")
SLOWER = "slower is not yet worse"


def together(groups, value, text="", at_end="", order=False, undecided="", **fields) -> Measurement | None:
    """A measurement with one value a group of records; None without groups. value({name: metrics}).

    Nets that were trained for different numbers of epochs are not compared; a shortened training says so, and so does
    a single seed, beside a `reason` of its own. at_end: the claim is about where trainings end, so shortened ones give
    their number, and this reason instead of a verdict. undecided: why these records decide nothing, however long they
    are. order: the verdict on an order says itself that one seed is too few.
    """
    used = list({r.name: r for group in groups for r in group.values()}.values())
    if not used:
        return None
    epochs = {r.settings["options"].get("epochs") for r in used}
    if len(epochs) > 1:
        each = dict.fromkeys(f"{r.settings['model']} {r.settings['options'].get('epochs')}" for r in used)
        return Measurement(reason=f"epochs differ: {', '.join(each)}")
    values = [value({name: r.metrics for name, r in group.items()}) for group in groups]
    length, alone = shortened(used[0]), "one seed" if len(values) == 1 else ""
    reason = fields.pop("reason", "")
    if undecided:
        return Measurement(reason=joined(f"{', '.join(filter(None, (text, length, alone)))}: {undecided}", reason))
    if at_end and length:
        when, shown = ", ".join(filter(None, (length, alone))), f" ({text})" if text else ""
        return Measurement(reason=joined(f"measured {np.mean(values):.3g} {when}{shown}: {at_end}", reason))
    reason = joined(reason, length, "" if order else alone)
    return measure(used, values, text=text, stand_in=stand_in(used), reason=reason, **fields)


def joined(*parts) -> str:
    return "; ".join(filter(None, parts))


def averaged(groups) -> dict:
    """{name: {metric: mean over the groups}} of groups {name: record}, one a seed; what one lacks is left out."""
    found = {}
    for name in (name for name in groups[0] if all(name in group for group in groups)):
        metrics = [group[name].metrics for group in groups]
        shared = [metric for metric in metrics[0] if all(metric in each for each in metrics)]
        found[name] = {metric: float(np.mean([each[metric] for each in metrics])) for metric in shared}
    return found


def lengths(record) -> tuple[int, int]:
    """(epochs trained, epochs of a whole training).

    A whole training of choices.py has 1 epoch to compare learning rates, 20 for speed and sigma; all others have 100.
    """
    model, epochs = record.settings["model"], record.settings["options"].get("epochs", 100)
    whole = 100
    if record.experiment == "choices" and not model.startswith(INITIAL):
        whole = 1 if model.startswith("lr_") else 20
    return epochs, whole


def shortened(record) -> str:
    """ "after 5 of 100 epochs", or "" for a whole training and for smoke, whose verdicts say so themselves."""
    epochs, whole = lengths(record)
    return f"after {epochs} of {whole} epochs" if epochs < whole and record.scale != "smoke" else ""
