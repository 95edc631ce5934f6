# Sourced by the README's commands: what they need besides Rust, git and a C compiler.
#
#   . tests/setup.sh python            the Python library that sequor links with
#   . tests/setup.sh python postgres   and a PostgreSQL server's programs, for the tests
#   . tests/setup.sh duckdb            and DuckDB's library, beside the builds

# Builds are kept in one folder outside the checkout, unless cargo is told otherwise.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/sequor-target}"
target_dir() { echo "$CARGO_TARGET_DIR"; }

have_python() {
  python3 - <<'PY' 2>/dev/null
import os, sys, sysconfig
if sys.version_info < (3, 9) or not sysconfig.get_config_var("Py_ENABLE_SHARED"):
    sys.exit(1)
folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY")
multiarch = os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "")
sys.exit(not any(os.path.exists(os.path.join(f, name)) for f in (folder, multiarch)))
PY
}

have_postgres() {
  command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

# DuckDB's library is in its Python package: the one for the Python that sequor links with.
duckdb_library() {
  local folder
  folder="$CARGO_TARGET_DIR/test-python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  if ! ls "$folder"/_duckdb*.so >/dev/null 2>&1; then
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
    python3 -m pip install --quiet --disable-pip-version-check --target "$folder" duckdb >&2
  fi
  ls "$folder"/_duckdb*.so | head -1
}

install_packages() {
  echo "installing: $*" >&2
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if command -v apt-get >/dev/null; then
    "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >&2
  elif command -v brew >/dev/null; then
    brew install python postgresql@16 >&2
  else
    echo "install the packages of your system for: $* (Python 3.9 or newer with its shared library; PostgreSQL's initdb)" >&2
    return 1
  fi
}

command -v make >/dev/null || install_packages make
for need in "$@"; do
  case "$need" in
    python) have_python || install_packages python3 libpython3-dev ;;
    postgres) have_postgres || install_packages postgresql ;;
    duckdb)
      SEQUOR_TEST_DUCKDB="${SEQUOR_TEST_DUCKDB:-$(duckdb_library)}"
      export SEQUOR_TEST_DUCKDB
      ;;
  esac
done
