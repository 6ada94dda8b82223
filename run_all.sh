#!/usr/bin/env bash
# One command: set up, run, check, show. ./run_all.sh help
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${REPRO_VENV:-$root/.venv}
called_from=$PWD

usage() {
    cat <<'HELP'
./run_all.sh [COMMAND] [OPTIONS]

  run      (default) run every experiment whose record is missing or was made by other code; write tables, figures and
           the overview. A stopped run goes on where it was. At smoke scale: minutes, embedded data, runs/smoke/results/
  test     run the tests
  check    do records, files, tables and the README's overview agree?   exit code 1 if not
  tables   write tables, figures, pages and the overview again from the records
  report   write everything as one HTML file, report.html in the results folder
  help     show this

  --scale=smoke|cpu|paper     smoke: embedded data; cpu: real data, hours on two cores; paper: the texts' own settings.
                              run: smoke if not given. check, tables, report: the committed results/ if not given
  --only=TEXT[/EXPERIMENT]    run these only: --only=doersch, --only=ahmed_ch4/ood
  --cores=N                   cores to use at once (all)
  --data_dir=DIR              folder with the data sets (or the environment variable REPRO_DATA)
  --resume                    is the default: finished runs are not repeated
  -n, --dry-run               run: show what would run, and stop

Environment variables: PYTHON, the interpreter to set up with; REPRO_VENV, another place for the environment than .venv;
REPRO_DATA, as --data_dir; REPRO_CACHE, where prepared data are kept (runs/data); REPRO_OFFLINE=1, never download data.
HELP
}

fail() {
    echo "error: $*" >&2
    exit 2
}

command="" scale="" only="" cores="" data_dir="" dry=""
for argument in "$@"; do
    case $argument in
        --scale=smoke | --scale=cpu | --scale=paper) scale=${argument#*=} ;;
        --scale=*) fail "unknown scale '${argument#*=}'; choose smoke, cpu or paper" ;;
        --only=?*) only=${argument#*=} ;;
        --cores=?*)
            cores=${argument#*=}
            [[ $cores =~ ^[1-9][0-9]*$ ]] || fail "--cores=$cores: a whole number of at least 1 expected"
            ;;
        --data_dir=?*)
            data_dir=${argument#*=}
            data_dir=${data_dir/#\~/$HOME}
            [[ $data_dir == /* ]] || data_dir=$called_from/$data_dir
            [[ -d $data_dir ]] || fail "no data folder '$data_dir'; correct --data_dir"
            ;;
        --resume) ;;
        -n | --dry-run) dry=yes ;;
        -h | --help) command=help ;;
        -*) fail "unknown option '$argument'; ./run_all.sh help lists them" ;;
        run | test | check | tables | report | help)
            [[ -z $command ]] || fail "one command at a time: '$command' or '$argument'"
            command=$argument
            ;;
        *) fail "unknown command '$argument'; ./run_all.sh help lists them" ;;
    esac
done
command=${command:-run}
if [[ $command != run && -n $only$cores$data_dir$dry ]]; then
    [[ $command == help ]] || fail "--only, --cores, --data_dir and -n belong to 'run', not to '$command'"
fi
case $command:$scale in
    run:) scale=smoke ;;
    test:?*) fail "the tests have no scale" ;;
esac
if [[ $scale == smoke ]]; then results=runs/smoke/results readme=; else results=results readme=README.md; fi

find_python() {
    local name
    for name in ${PYTHON:-} python3.11 python3.12 python3 python; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or 3.12 is needed and none was found; install it, or name it: PYTHON=/path/to/python ./run_all.sh"
}

# Install once, and again when the requirements or their versions change.
set_up() {
    local wanted python
    wanted=$(cat "$root/setup.cfg" "$root/constraints.txt" | cksum)
    [[ -x $venv/bin/python && $(cat "$venv/installed" 2>/dev/null) == "$wanted" ]] && return
    python=$(find_python)
    echo "installing into $venv (once, some minutes)"
    "$python" -m venv "$venv" || fail "cannot make the environment $venv; on Debian and Ubuntu: apt install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$root/constraints.txt" --editable "$root[dev]" ||
        fail "the installation into $venv failed; the lines above say why. The same command tries again"
    echo "$wanted" >"$venv/installed"
}

tell() {
    python -m common.reporting "$1" --results "$results" "${@:2}"
}

run() {
    python -m reproductions.grid "$scale" "$only" >/dev/null # a wrong --only ends here, in one line
    local config=("scale=$scale") status=0 stopped=""
    [[ -z $only ]] || config+=("only=$only")
    [[ -z $data_dir ]] || config+=("data_dir=$data_dir")
    # No lock: each run holds its own work folder. Only the records decide what is repeated (see the Snakefile).
    local snakemake=(python -m snakemake --snakefile reproductions/Snakefile --cores "${cores:-all}" --nolock
        --rerun-triggers mtime --rerun-incomplete --keep-going --scheduler greedy --config "${config[@]}")
    if [[ -n $dry ]]; then
        "${snakemake[@]}" --dry-run --quiet host
        return
    fi
    trap 'stopped=yes' INT
    "${snakemake[@]}" --quiet host reason || status=$?
    trap - INT
    if [[ -n $stopped ]]; then
        echo "stopped; the same command goes on where it stopped" >&2
        exit 130
    fi
    mkdir -p "$results"
    tell tables ${readme:+--readme "$readme"}
    echo
    cat "$results/README.md"
    echo "One page per text and its figures: $results/"
    [[ $status == 0 ]] || fail "some runs failed; the lines above say why. The same command goes on where it stopped"
}

if [[ $command == help ]]; then
    usage
    exit
fi
set_up
cd "$root"
export PATH="$venv/bin:$PATH" PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
case $command in
    run) run ;;
    test) python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder ;; # a file's tests share what they set up
    check) tell check ${readme:+--readme "$readme"} ;;
    tables) tell tables ${readme:+--readme "$readme"} ;;
    report) tell report ;;
esac
