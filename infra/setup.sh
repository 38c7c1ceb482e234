#!/usr/bin/env bash
# Sets everything up: .venv with the pinned requirements, and the servers this machine lacks. Near-instant when all is there.
#   infra/setup.sh [--for-tests]     --for-tests also installs what only tests drive: Chromium, PgBouncer, Prometheus with promtool
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

FOR_TESTS=false
for argument in "$@"; do
    case "$argument" in
        --for-tests) FOR_TESTS=true ;;
        *) echo "usage: infra/setup.sh [--for-tests]" >&2; exit 2 ;;
    esac
done

say() { printf 'setup: %s\n' "$*" >&2; }
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
WANTED=
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$name" && WANTED=$("$name" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(1)
import hashlib
print(sys.version_info[:2], hashlib.sha256(open("requirements.txt", "rb").read()).hexdigest())' 2>/dev/null); then
            PYTHON=$name
            return 0
        fi
    done
    return 1
}
venv_works() { [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null && grep -qF "$PWD/.venv" .venv/bin/activate; }
can_make_venv() { venv_works || "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
have_redis() { have redis-server || compgen -G '/opt/homebrew/opt/redis/bin/redis-server' >/dev/null || compgen -G '/usr/local/opt/redis/bin/redis-server' >/dev/null; }
have_postgres() { have postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null || compgen -G '/usr/local/opt/postgresql@*/bin/postgres' >/dev/null; }
have_rabbitmq() { have rabbitmq-server || compgen -G '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server' >/dev/null || compgen -G '/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server' >/dev/null || compgen -G '/usr/local/opt/rabbitmq/sbin/rabbitmq-server' >/dev/null; }
have_browser() { have chromium || have chromium-browser || have google-chrome || [ -d "/Applications/Google Chrome.app" ] || [ -d /Applications/Chromium.app ]; }
have_prometheus() { have prometheus && have promtool; }
have_pgbouncer() { have pgbouncer || [ -x /usr/sbin/pgbouncer ]; }

missing_debian() {
    # Where python3 itself is too old, some releases have a newer one beside it.
    if [ -z "$PYTHON" ]; then if have python3; then echo python3.11-venv; else echo python3-venv; fi
    elif ! can_make_venv; then echo "$PYTHON-venv"; fi
    have_redis || echo redis-server
    have_rabbitmq || echo rabbitmq-server
    have_postgres || echo postgresql
    if $FOR_TESTS; then have_browser || echo chromium; have_prometheus || echo prometheus; have_pgbouncer || echo pgbouncer; fi
}

missing_homebrew() {
    if [ -z "$PYTHON" ] || ! can_make_venv; then echo python@3.13; fi
    have_redis || echo redis
    have_rabbitmq || echo rabbitmq
    have_postgres || echo postgresql@16
    if $FOR_TESTS; then have_browser || echo chromium; have_prometheus || echo prometheus; have_pgbouncer || echo pgbouncer; fi
}

# Debian starts a server as soon as it is installed. Nobody asked for that: the scoreboard starts its own. While a policy-rc.d
# answers 101 nothing is started; what was newly installed is then disabled, so that it does not start at the next boot either.
POLICY=/usr/sbin/policy-rc.d
OUR_MARK='# put here by the scoreboard for the moment of an installation'
POLICY_IS_OURS=false
LOG=
clean_up() {
    if $POLICY_IS_OURS; then as_root rm -f "$POLICY"; POLICY_IS_OURS=false; fi
    if [ -n "$LOG" ]; then rm -f "$LOG"; LOG=; fi
}

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
            redis-server | prometheus | pgbouncer) units+=("$package") ;;
            rabbitmq-server) units+=("$package"); have epmd || units+=(epmd.socket epmd.service) ;; # Erlang's port mapper
        esac
    done
    trap clean_up EXIT
    forbid_starts
    LOG=$(mktemp)
    say "installing $* (this takes a minute)"
    if ! { as_root apt-get -o DPkg::Lock::Timeout=300 update &&
           as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
               apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install -y --no-install-recommends "$@"; } >"$LOG" 2>&1; then
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

install_requirements() {
    if [ "$(cat .venv/.requirements 2>/dev/null || true)" = "$WANTED" ] && venv_works; then return; fi
    # Making it anew would empty what the link leads to, which somebody else may be using.
    [ ! -L .venv ] || fail ".venv is a link to $(readlink .venv): remove the link to get a .venv of this directory's own"
    say "installing the Python packages into .venv"
    if ! venv_works || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then "$PYTHON" -m venv --clear .venv 9>&-; fi
    rm -f .venv/.requirements
    .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt 9>&- ||
        fail "pip could not install requirements.txt; see above"
    printf '%s\n' "$WANTED" >.venv/.requirements
}

install_packages
install_requirements
