#!/bin/sh
# Says in one line each what this machine lacks, and how to get it.
missing=0
say() { echo "missing: $1" >&2; missing=1; }

command -v cargo >/dev/null 2>&1 || say "Rust (cargo). Install rustup, then: rustup toolchain install stable"
if command -v cargo >/dev/null 2>&1; then
    cargo fmt --version >/dev/null 2>&1 || say "rustfmt. rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || say "clippy. rustup component add clippy"
    minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 88 ] || say "Rust 1.88 or newer (here: $(rustc --version)). rustup update stable"
fi
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
    say "Python 3.11 or newer. apt-get install python3 python3-venv, or set PYTHON=/path/to/python"
else
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || say "Python 3.11 or newer (here: $("$python" --version)). Set PYTHON=/path/to/python"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || say "Python's venv module. apt-get install python3-venv"
fi
if ! command -v node >/dev/null 2>&1; then
    say "Node 20 or newer. Install nodejs and npm"
else
    node -e 'process.exit(+(parseInt(process.versions.node) < 20))' || say "Node 20 or newer (here: $(node --version))"
    command -v npm >/dev/null 2>&1 || say "npm. It comes with Node; on Debian: apt-get install npm"
fi
command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || say "a C compiler. apt-get install build-essential"
exit $missing
