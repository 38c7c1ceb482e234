#!/usr/bin/env bash
# Sets everything up: .venv with the pinned requirements, and the servers this machine lacks. Near-instant when all is there.
#   infra/setup.sh [--with-browser]     --with-browser also installs Chromium, which the tests drive
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WITH_BROWSER=false
for argument in "$@"; do
    case "$argument" in
        --with-browser) WITH_BROWSER=true ;;
        *) echo "usage: infra/setup.sh [--with-browser]" >&2; exit 2 ;;
    esac
done

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Two `make` at once must not install into one .venv.
exec 9>.setup.lock
if have flock; then flock 9; fi

# --- the machine's packages -------------------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else return 1; fi
}

have_python() { have python3 && python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' && python3 -c 'import venv, ensurepip' 2>/dev/null; }
have_postgres() { have postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null || compgen -G '/usr/local/opt/postgresql@*/bin/postgres' >/dev/null; }
have_rabbitmq() { have rabbitmq-server || compgen -G '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server' >/dev/null || compgen -G '/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server' >/dev/null; }
have_browser() { have chromium || have chromium-browser || have google-chrome || [ -d "/Applications/Google Chrome.app" ]; }

missing_debian() {
    have_python || echo python3-venv
    have redis-server || echo redis-server
    have_rabbitmq || echo rabbitmq-server
    have_postgres || echo postgresql
    if $WITH_BROWSER; then have_browser || echo chromium; fi
}

missing_homebrew() {
    have_python || echo python@3.11
    have redis-server || echo redis
    have_rabbitmq || echo rabbitmq
    have_postgres || echo postgresql@16
    if $WITH_BROWSER; then have_browser || echo chromium; fi
}

# Debian starts a server as soon as it is installed. Nobody asked for that: the scoreboard starts its own. While a policy-rc.d
# answers 101 nothing is started; what was newly installed is then disabled, so that it does not start at the next boot either.
POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=false
restore_policy() { if $POLICY_IS_OURS; then as_root rm -f "$POLICY"; fi; }

apt_install() {
    as_root true || fail "not root and no sudo. Install these packages, then try again:  apt-get install --no-install-recommends $*"
    trap restore_policy EXIT
    if [ ! -e "$POLICY" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
        as_root chmod 755 "$POLICY"
        POLICY_IS_OURS=true
    fi
    if [[ " $* " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    local log
    log=$(mktemp)
    say "installing $* (this takes a minute)"
    if ! { as_root apt-get -o DPkg::Lock::Timeout=300 update && as_root env DEBIAN_FRONTEND=noninteractive \
           apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install them; see above, or install them by hand:  apt-get install --no-install-recommends $*"
    fi
    rm -f "$log"
    restore_policy
    POLICY_IS_OURS=false
    if have systemctl; then
        for package in "$@"; do
            case "$package" in
                redis-server | rabbitmq-server | postgresql) as_root systemctl disable --now "$package" >/dev/null 2>&1 || true ;;
            esac
        done
        # RabbitMQ brings Erlang's port mapper as a socket of its own.
        case " $* " in *" rabbitmq-server "*) as_root systemctl disable --now epmd.socket epmd.service >/dev/null 2>&1 || true ;; esac
    fi
}

install_servers() {
    local packages
    if have apt-get; then
        mapfile -t packages < <(missing_debian)
        if [ "${#packages[@]}" -gt 0 ]; then apt_install "${packages[@]}"; fi
    elif have brew; then
        packages=()
        while IFS= read -r package; do packages+=("$package"); done < <(missing_homebrew)
        if [ "${#packages[@]}" -gt 0 ]; then say "installing ${packages[*]}"; brew install --quiet "${packages[@]}"; fi
    else
        packages=()
        while IFS= read -r package; do packages+=("$package"); done < <(missing_debian)
        [ "${#packages[@]}" -eq 0 ] || fail "neither apt-get nor brew here. Install what Debian calls: ${packages[*]}; then try again"
    fi
}

# --- the project's own .venv ------------------------------------------------------------------------------------------------------

install_requirements() {
    local wanted
    wanted="$(python3 -c 'import hashlib, sys; print(sys.version_info[:2], hashlib.sha256(open("requirements.txt", "rb").read()).hexdigest())')"
    if [ "$(cat .venv/.requirements 2>/dev/null || true)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then return; fi
    say "installing the Python packages into .venv"
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt ||
        fail "pip could not install requirements.txt; see above"
    printf '%s\n' "$wanted" >.venv/.requirements
}

install_servers
install_requirements
