# Sourced by the README's commands: what they need besides Rust, git and a C compiler.
#
#   . tests/setup.sh python            the Python library that sequor links with
#   . tests/setup.sh venv              virtualenvs, for the Python package, which needs Python 3.10 or newer
#   . tests/setup.sh python postgres   and a PostgreSQL server's programs, for the tests
#   . tests/setup.sh mysql             a MariaDB server's programs
#   . tests/setup.sh drivers           the libraries of DuckDB and of ADBC drivers, beside the builds
#   . tests/setup.sh jinja2            Python's Jinja2, beside the builds
#   . tests/setup.sh deny              cargo-deny, beside the builds
#   . tests/setup.sh fakesnow          a server that speaks Snowflake's protocol, beside the builds

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

have_mysql() {
  command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || [ -x /usr/local/sbin/mariadbd ]
}

# The version that the file deny.toml is written for.
deny() {
  local version=0.20.2
  [ "$("$CARGO_TARGET_DIR/tools/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $version" ] ||
    cargo install --quiet --locked --debug --root "$CARGO_TARGET_DIR/tools" "cargo-deny@$version" >&2
}

have_venv() {
  python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

python_version() { python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# pip_folder FOLDER PACKAGE...: Python packages beside the builds, for the Python that sequor links with.
pip_folder() {
  local folder="$1" list="${*:2}"
  if [ "$(cat "$folder/installed" 2>/dev/null)" != "$list" ]; then
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
    rm -rf "$folder"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$folder" "${@:2}" >&2
    echo "$list" >"$folder/installed"
  fi
}

# The libraries of databases without a server, and of ADBC drivers, are in their Python packages.
drivers() {
  pip_folder "$CARGO_TARGET_DIR/test-python-$(python_version)" \
    duckdb adbc-driver-postgresql adbc-driver-sqlite adbc-driver-snowflake
}

# Templates that the native engine leaves to Python's Jinja2.
jinja2() {
  pip_folder "$CARGO_TARGET_DIR/test-jinja2-$(python_version)" 'jinja2>=3.1'
}

# A server that speaks Snowflake's protocol. Newer connectors than it knows ask it for more than it has.
fakesnow() {
  pip_folder "$CARGO_TARGET_DIR/test-fakesnow-$(python_version)" \
    'fakesnow[server]==0.12.1' 'snowflake-connector-python<5'
}

install_packages() {
  echo "installing: $*" >&2
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if command -v apt-get >/dev/null; then
    "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >&2
  elif command -v brew >/dev/null; then
    brew install python postgresql@16 mariadb >&2
  else
    echo "install the packages of your system for: $* (Python 3.9 or newer with its shared library; PostgreSQL's initdb; MariaDB's mariadbd)" >&2
    return 1
  fi
}

command -v make >/dev/null || install_packages make
for need in "$@"; do
  case "$need" in
    python) have_python || install_packages python3 libpython3-dev ;;
    venv) have_venv || install_packages python3-venv ;;
    postgres) have_postgres || install_packages postgresql ;;
    mysql) have_mysql || install_packages mariadb-server ;;
    drivers) drivers ;;
    jinja2) jinja2 ;;
    fakesnow) fakesnow ;;
    deny) deny ;;
  esac
done
