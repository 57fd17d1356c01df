# Sourced by the other scripts: makes .venv beside pyproject.toml and installs what is asked for, once.
#   setup "."        the library, as `pip install scenemaker` gives it
#   setup ".[dev]"   with the tools for tests and checks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
  for name in python3.13 python3.12 python3.11 python3 python; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "error: expected Python 3.11 or newer with venv; got none; install it (Debian: apt install python3 python3-venv)" >&2
  exit 1
}

setup() {
  local python
  [ -x .venv/bin/python ] || { python=$(find_python) && "$python" -m venv .venv; }
  local stamp=".venv/.installed-$(echo "$1" | tr -cd 'a-z')"
  if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
    echo "installing $1 into .venv ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$1"
    touch "$stamp"
  fi
  export PATH="$PWD/.venv/bin:$PATH"
}
