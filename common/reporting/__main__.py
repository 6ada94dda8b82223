"""python -m common.reporting tables|report|check [--results DIR] [--rooms DIR] [--readme FILE]

tables   measure and judge every claim; write each text's page, tables and figures, and the overview
report   write all of it as one HTML file, <results>/report.html
check    exit code 0 if records, files and tables agree, 1 with one line per failure otherwise
"""

import argparse
import sys
from pathlib import Path

from common.errors import UserError
from common.reporting.check import check
from common.reporting.files import write_atomic
from common.reporting.pages import counts, replace_overview, write_pages
from common.reporting.report import report_html
from common.reporting.rooms import ROOMS, Told, find_rooms, tell


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 the check found something, 2 a mistake the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:  # a page, table or drawing that cannot be read
        print(f"error: cannot read {error.filename}: {error.strerror}; mend it or delete it", file=sys.stderr)
    except UnicodeDecodeError as error:
        print(f"error: a page or table is not UTF-8 ({error}); write it again, ./run_all.sh tables", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m common.reporting", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=sorted(_COMMANDS))
    parser.add_argument("--results", default="results", type=Path, help="folder with records/ (default: results)")
    parser.add_argument("--rooms", default=ROOMS, type=Path, help="folder with one room per text")
    parser.add_argument("--readme", type=Path, help="README whose overview is written (tables) or compared (check)")
    parser.add_argument("--html", type=Path, help="file of the report (default: <results>/report.html)")
    return parser


def _there(results: Path):
    """Raises UserError unless there is such a results folder."""
    if not results.is_dir():
        raise UserError(f"no results folder {results}: run an experiment first, or name one with --results")


def _tell(options) -> list[Told]:
    _there(options.results)
    return [tell(room, options.results) for room in find_rooms(options.rooms)]


def _tables(options) -> int:
    told = _tell(options)
    write_pages(told, options.results)
    if options.readme:
        try:
            text = options.readme.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot read {options.readme}: {error.strerror}") from error
        write_atomic(options.readme, replace_overview(text, told))
    for each in told:
        summary = ", ".join(f"{word} {count}" for word, count in counts(each.rows).items() if count)
        print(f"{each.room.name}: {len(each.rows)} claims: {summary}")
    return 0


def _report(options) -> int:
    path = options.html or options.results / "report.html"
    write_atomic(path, report_html(_tell(options), options.results))
    print(path)
    return 0


def _check(options) -> int:
    _there(options.results)
    failures, warnings = check(options.results, options.rooms, readme=options.readme)
    for line in warnings:
        print(f"warning: {line}")
    for line in failures:
        print(f"FAIL: {line}")
    counted = zip((len(failures), len(warnings)), ("failure", "warning"), strict=True)
    print(", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counted))
    return 1 if failures else 0


_COMMANDS = {"tables": _tables, "report": _report, "check": _check}

if __name__ == "__main__":
    sys.exit(main())
