#!/bin/sh
# Make a virtual environment in $1 with $PYTHON (3.11 or newer), and say what to do where that cannot be.
set -eu
venv=$1
python=${PYTHON:-python3}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! fits "$python"; then
    for other in python3.11 python3.12 python3.13 python3.14; do
        if fits "$other"; then python=$other; break; fi
    done
fi
if ! fits "$python"; then
    echo "Yeji needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1 || echo 'not here')." >&2
    echo "Install one (Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if "$python" -m venv "$venv" 2>"$venv.log"; then
    rm -f "$venv.log"
    exit 0
fi
rm -rf "$venv"
# Debian splits ensurepip off. virtualenv brings its own pip, so it does as well.
if "$python" -m virtualenv --quiet "$venv" 2>/dev/null; then
    rm -f "$venv.log"
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "python3-venv is missing: installing it." >&2
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    if "$python" -m venv "$venv" 2>"$venv.log"; then
        rm -f "$venv.log"
        exit 0
    fi
    rm -rf "$venv"
fi
cat "$venv.log" >&2
rm -f "$venv.log"
echo "No virtual environment can be made with '$python'. Debian: sudo apt-get install python3-venv." >&2
echo "Elsewhere: $python -m pip install --user virtualenv. Then run the same command again." >&2
exit 1
