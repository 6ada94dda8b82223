"""Pages in Markdown: one per text, one overview, and the overview inside the repository's README.

Everything here is a function of what `rooms.tell` returns and of the files below `<results>/<text>/`.
"""

import re
from collections import Counter
from pathlib import Path

from common.errors import UserError
from common.reporting.figures import caption_of
from common.reporting.files import write_atomic
from common.reporting.records import Record
from common.reporting.rooms import FAULTS, Row, Told
from common.reporting.tables import Table, duration, escape, short, with_spread
from common.reporting.verdicts import FAILS, NOT_RUN, QUOTED, UNDECIDED, VERDICTS, WITHOUT_NUMBER

BEGIN, END = "<!-- overview:begin -->", "<!-- overview:end -->"
CLAIMS_COLUMNS = (
    "claim_id", "where", "what", "unit", "printed", "measured", "spread", "n", "verdict", "reason", "command",
    "scale", "stand_in", "stale",
)  # fmt: skip


def write_pages(told: list[Told], results_dir: str | Path) -> None:
    """Write the rooms' own tables, then `<text>/claims.csv`, `<text>/README.md` and the overview `README.md`.

    Raises:
      UserError: a room's tables fail on its records.
    """
    results_dir = Path(results_dir)
    for each in told:
        _make_tables(each, results_dir)
        folder = results_dir / each.room.name
        write_atomic(folder / "claims.csv", claims_table(each).csv())
        write_atomic(folder / "README.md", text_page(each, folder))
    overview = overview_table(told, link="{name}/README.md").markdown("#")
    write_atomic(results_dir / "README.md", f"{overview}\n{_LEGEND}")


def _make_tables(told: Told, results_dir: Path) -> None:
    if told.room.make_tables is None:
        return
    try:
        told.room.make_tables(told.records, results_dir)
    except FAULTS as error:
        raise UserError(f"{told.room.name}: its tables failed with {type(error).__name__}: {error}") from error


def replace_overview(readme: str, told: list[Told], link: str = "results/{name}/README.md") -> str:
    """The README's text with a fresh overview between `<!-- overview:begin -->` and `<!-- overview:end -->`.

    Raises:
      UserError: the two marks are not there exactly once, in this order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise UserError(f"the README needs the lines {BEGIN} and {END}, once each, where the overview belongs")
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    table = overview_table(told, link)
    return f"{before}{BEGIN}\n\n{Table('', table.columns, table.rows).markdown()}\n{END}{after}"


def counts(rows: list[Row]) -> dict[str, int]:
    """How many claims have each verdict, in the order of `VERDICTS`."""
    found = Counter(row.verdict for row in rows)
    return {word: found[word] for word in VERDICTS}


def overview_table(told: list[Told], link: str) -> Table:
    """One row per text: claims by verdict, run time, hardware, stale rows."""
    columns = ["text", "claims", *VERDICTS, "run time", "hardware", "stale"]
    rows = []
    for each in told:
        title = f"[{each.room.title}]({link.format(name=each.room.name)})"
        stale = sum(bool(row.stale) for row in each.rows)
        cost = duration(sum(record.seconds for record in each.records)) if each.records else ""
        rows.append(
            [title, len(each.rows), *counts(each.rows).values(), cost, "; ".join(hardware(each.records)), stale]
        )
    return Table("Results", columns, rows)


_LEGEND = """**holds**: the printed number lies within the measured mean ± max(tolerance, twice the spread over seeds);
an order is separated; a sentence's rule is true for every seed. **holds in direction only**: measured on stand-in data
or in a run of seconds, so only the direction counts. **not separated**: the seeds or the interval do not decide.
**fails**: a finding; its reason stands beside it. **identity**: algebra, tested exactly. **undecided**: there are runs,
and they do not decide it, being too short, of other sizes or too few; the reason has what they gave. **quoted**: not
ours to run, as literature, settings and opinions are. **not run**: the reason stands beside it. **stale**: the code
changed after the run.
"""


def measured_text(row: Row) -> str:
    """ "33.85 ± 0.52", "33.85 [32.1, 35.0] (a note)", a text, or nothing."""
    found = row.measurement
    if found is None:
        return ""
    parts = [with_spread(found.mean, found.spread)] if found.values else []
    if parts and not printed_text(row)[1]:  # a printed word has no unit, its measurement does
        parts.append(row.claim.unit.strip("-"))
    if found.interval is not None:
        parts.append("[{}, {}]".format(*map(short, found.interval)))
    note = found.text if not parts or found.text.startswith("(") else f"({found.text})"
    return " ".join(part for part in (*parts, note) if part.strip("()"))


def printed_text(row: Row) -> tuple[str, str]:
    """What is printed, and its unit if it is a number."""
    claim = row.claim
    return claim.printed, claim.unit.strip("-") if claim.printed_value is not None else ""


def stale_text(row: Row) -> str:
    """ "stale: common.training.game changed", or nothing."""
    return f"stale: {', '.join(row.stale)} changed" if row.stale else ""


def claims_table(told: Told) -> Table:
    """One row per claim with full numbers, for machines."""
    rows = []
    for row in told.rows:
        claim, found = row.claim, row.measurement
        numbers = [None, None, 0]
        if found is not None and found.values:
            numbers = [found.mean, found.spread if found.n > 1 else None, found.runs]
        rest = [" ; ".join(found.commands), found.scale, found.stand_in] if found else ["", "", ""]
        rows.append(
            [claim.claim_id, claim.where, claim.what, claim.unit, claim.printed, *numbers, row.verdict, row.reason]
            + [*rest, " ".join(row.stale)]
        )
    return Table(f"Claims of {told.room.name}", list(CLAIMS_COLUMNS), rows)


def text_page(told: Told, folder: Path) -> str:
    """`<results>/<text>/README.md`: counts, claims, figures and tables, cost, stand-ins, commands."""
    listed = commands_of(told)
    numbers = {command: i for i, command in enumerate(listed, start=1)}
    summary = " · ".join(f"{word} {count}" for word, count in counts(told.rows).items() if count)
    sections = [
        f"# {escape(told.room.title)}\n\n{len(told.rows)} claims: {summary}\n",
        _fails_section(told),
        _claims_section(told, numbers),
        _files_section(folder),
        _cost_table(told.records).markdown("##") if told.records else "",
        _limits_section(told),
        _commands_section(listed, told.records),
    ]
    return "\n".join(section for section in sections if section)


def _fails_section(told: Told) -> str:
    """The findings first: every claim that fails, in one line; the table below has the rest of its row."""
    lines = []
    for row in told.rows:
        if row.verdict == FAILS:
            printed = " ".join(printed_text(row)).strip()
            reason = "; ".join(part for part in (stale_text(row), row.reason) if part)
            numbers = f"{f'printed {printed}, ' if printed else ''}measured {measured_text(row)}"
            lines.append(f"- **{escape(_name(row))}**: {escape(numbers)}; {escape(reason)}\n")
    return "## What fails\n\n" + "".join(lines) if lines else ""


def _claims_section(told: Told, numbers: dict[str, int]) -> str:
    """What was measured, then what the text quotes, then what is undecided and what was not run, by reason."""
    columns = ["claim", "printed", "measured ± spread", "n", "scale", "verdict", "reason", "command"]
    rows = []
    for row in told.rows:
        found = row.measurement
        if row.verdict in WITHOUT_NUMBER:
            continue
        used = sorted(numbers[command] for command in (collapse(found.commands) if found else ()))
        reason = "; ".join(part for part in (stale_text(row), row.reason) if part)
        rows.append(
            [_name(row), " ".join(printed_text(row)).strip(), measured_text(row)]
            + [str(found.runs) if found and found.values else "", found.scale if found else "", row.verdict, reason]
            + [f"[{ranges(used)}](#commands)" if used else ""]
        )
    text = Table("Claims", columns, rows).markdown("##")
    quoted = [row for row in told.rows if row.verdict == QUOTED]
    quoted = [[_name(row), " ".join(printed_text(row)).strip(), row.reason] for row in quoted]
    if quoted:
        text += "\n" + Table("Quoted by the text", ["claim", "printed", "from"], quoted).markdown("##")
    return text + _by_reason(told, UNDECIDED) + _by_reason(told, NOT_RUN)


def _by_reason(told: Told, verdict: str) -> str:
    """The claims of a verdict that has no number, those of one reason together."""
    reasons = {}
    for row in told.rows:
        if row.verdict == verdict:
            reasons.setdefault(row.reason or "no reason given", []).append(row)
    lines = [f"- **{escape(why)}**: {'; '.join(_name(row) for row in rows)}\n" for why, rows in reasons.items()]
    return f"\n## {verdict.capitalize()}\n\n" + "".join(lines) if lines else ""


def _name(row: Row) -> str:
    return f"{row.claim.claim_id}: {row.claim.what} ({row.claim.where})"


def ranges(numbers: list[int]) -> str:
    """ "1, 3-7" of 1, 3, 4, 5, 6, 7."""
    parts, first = [], None
    for number, following in zip(numbers, [*numbers[1:], None], strict=False):
        first = number if first is None else first
        if following != number + 1:
            parts.append(str(first) if first == number else f"{first}-{number}")
            first = None
    return ", ".join(parts)


def figure_files(folder: Path) -> list[Path]:
    """PNG files of a text's results folder, sorted."""
    return sorted(Path(folder).rglob("*.png"))


def table_files(folder: Path) -> list[Path]:
    """CSV files of a text's own tables, sorted; the claims stand on the page itself."""
    return sorted(path for path in Path(folder).rglob("*.csv") if path != Path(folder) / "claims.csv")


def _files_section(folder: Path) -> str:
    lines = []
    for path in table_files(folder):
        page = path.with_suffix(".md")
        title = page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") if page.is_file() else path.stem
        target = (page if page.is_file() else path).relative_to(folder).as_posix()
        lines.append(f"- [{escape(title)}]({target}) ([csv]({path.relative_to(folder).as_posix()}))")
    text = "## Tables\n\n" + "\n".join(lines) + "\n" if lines else ""
    figures = [(path.relative_to(folder).as_posix(), escape(caption_of(path))) for path in figure_files(folder)]
    if figures:
        text += ("\n" if text else "") + "## Figures\n"
        text += "".join(f"\n![{caption}]({path})\n\n{caption}\n" for path, caption in figures)
    return text


def hardware(records: list[Record]) -> list[str]:
    """Distinct machines of the records as readable lines, sorted."""
    return sorted({machine_text(record.machine) for record in records} - {""})


def machine_text(machine: dict) -> str:
    """ "Xeon E5, 2 cores, 8 GB, training on NVIDIA H100" from a record's `machine`."""
    if not machine:
        return ""
    parts = [str(machine.get("cpu") or "unknown CPU")]
    parts += [f"{machine['cores']} core{'s' * (machine['cores'] != 1)}"] if machine.get("cores") else []
    parts += [f"{machine['memory_gb']:.0f} GB"] if machine.get("memory_gb") else []
    parts += [str(machine["accelerator"])] if machine.get("accelerator") else []
    return ", ".join(parts + ([f"training on {machine['trained_on']}"] if machine.get("trained_on") else []))


def _cost_table(records: list[Record]) -> Table:
    groups = {}
    for record in records:
        groups.setdefault((record.experiment, record.scale, machine_text(record.machine)), []).append(record)
    rows = []
    for (experiment, scale, machine), members in sorted(groups.items()):
        seconds = [record.seconds for record in members]
        rows.append([experiment, scale, len(members), round(sum(seconds)), round(max(seconds), 1), machine])
    total = duration(sum(record.seconds for record in records))
    columns = ["experiment", "scale", "runs", "seconds, all", "seconds, longest run", "hardware"]
    notes = [f"All {len(records)} runs together: {total}. Some ran beside others on a shared machine."]
    if any(record.machine.get("trained_on") for record in records):
        notes.append("Of what was trained on an accelerator the seconds are mostly those of its evaluation alone.")
    return Table("Cost and hardware", columns, rows, notes)


def _limits_section(told: Told) -> str:
    measured = [row.measurement for row in told.rows if row.measurement is not None]
    stand_ins = Counter(found.stand_in for found in measured if found.stand_in)
    short_runs = Counter(found.scale for found in measured if found.scale not in ("", "paper") and not found.exact)
    lines = [f"- {escape(text)}: {_claims(count)}" for text, count in sorted(stand_ins.items())]
    less = "shorter trainings, smaller nets or fewer test images than in the text, where a row's reason says so"
    lines += [f"- scale {escape(scale)} ({less}): {_claims(count)}" for scale, count in sorted(short_runs.items())]
    return "## Stand-in data and shortened runs\n\n" + ("\n".join(lines) if lines else "None.") + "\n"


def _claims(count: int) -> str:
    return f"{count} claim{'s' * (count != 1)}"


def _commands_section(listed: dict[str, tuple[str, ...]], records: list[Record]) -> str:
    """The commands that the claims link to, then those of all other records; behind each the records it made."""
    if not listed:
        return ""
    paths = {}
    for record in records:
        paths.setdefault(record.command, []).append(record.path("..").as_posix())
    lines = []
    for number, (command, single) in enumerate(listed.items(), start=1):
        made = [path for each in single for path in paths.get(each, ())]
        links = ", ".join(f"[{k}]({path})" for k, path in enumerate(made, start=1))
        lines.append(f"{number}. `{command}`{f' ({links})' if links else ''}\n")
    return "## Commands\n\nBehind each command: its records.\n\n" + "".join(lines)


def commands_of(told: Told) -> dict[str, tuple[str, ...]]:
    """{command, or loop over seeds: the commands in it}: those of the claims, in their order, then of other records."""
    found = {}
    for row in told.rows:
        found |= loops(row.measurement.commands) if row.measurement else {}
    claimed = {each for single in found.values() for each in single}
    return found | loops(tuple(record.command for record in told.records if record.command not in claimed))


_SEED = re.compile(r"(--seed[= ])(\S+)")


def collapse(commands: tuple[str, ...]) -> tuple[str, ...]:
    """Commands that differ only in their seed as one shell loop over the seeds."""
    return tuple(loops(commands))


def loops(commands: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """{command, or shell loop over the seeds in which alone they differ: the commands}."""
    groups = {}
    for command in commands:
        seed = _SEED.search(command)
        groups.setdefault(_SEED.sub(r"\1$seed", command), {})[command] = seed[2] if seed else ""
    return {
        next(iter(members)) if len(members) == 1
        else f"for seed in {' '.join(members.values())}; do {pattern}; done": tuple(members)
        for pattern, members in groups.items()
    }  # fmt: skip
