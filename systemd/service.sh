#!/usr/bin/env bash
# Installs omnishotd as a service of this machine from this checkout, or takes it away again. `make install-service` and
# `make uninstall-service` run it. Run again, it brings the installation up to date and leaves configuration and token.
#
#   service.sh install [PYTHON]    PYTHON: the interpreter for the service's own environment, default python3
#   service.sh uninstall
#
# PREFIX=/opt/omnishotd is where the environment goes: a folder that holds nothing else. DESTDIR=DIR puts everything below
# DIR and changes nothing else: for packages. DEPENDENCIES=none makes an environment without them, for who puts them there
# in another way.
set -euo pipefail
cd "$(dirname "$0")/.."

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/opt/omnishotd}
DEPENDENCIES=${DEPENDENCIES:-pinned}
CONFIGURATION=/etc/omnishotd
UNIT=/etc/systemd/system/omnishotd.service
SYSUSERS=/etc/sysusers.d/omnishotd.conf
COMMAND=/usr/local/bin/omnishotd
PACKAGES=(omnishotd ipc stages control)
# In a folder that an installation made, and may therefore empty.
MARKER=.omnishotd

say() { echo "omnishotd: $*"; }
fail() { echo "omnishotd: $*" >&2; exit 1; }

# Whether this is about the running system, and not about a package's folder.
is_live() { [ -z "$DESTDIR" ]; }

may_write() {
    if is_live && [ "$(id -u)" != 0 ]; then fail "only root can install a service; or set DESTDIR"; fi
}

# PREFIX is emptied to be made anew, and to be taken away: never what others have put there.
check_prefix() {
    local home=$DESTDIR$PREFIX found
    if [[ $PREFIX != /* || $PREFIX/ == */../* || ! $PREFIX =~ [^/.] ]]; then
        fail "PREFIX=$PREFIX: must be the absolute path of a folder for omnishotd alone"
    fi
    if [ -f "$home/pyvenv.cfg" ] && [ -f "$home/$MARKER" ]; then return; fi
    if [ ! -e "$home" ] && [ ! -L "$home" ]; then return; fi
    if [ -d "$home" ] && found=$(ls -A "$home") && [ -z "$found" ]; then return; fi
    fail "PREFIX=$PREFIX: $home is there and was not made by an installation of omnishotd: no pyvenv.cfg or no $MARKER in it"
}

# The unit hides homes from the service: an interpreter that lies in one would not be found.
usable_python() {
    local candidate=$1 program base
    program=$(command -v "$candidate") || return 1
    "$program" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    base=$("$program" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    base=${base#/}
    case ${base%%/*} in root | home) return 1 ;; esac
    case $base in run/user/*) return 1 ;; esac
    echo "$program"
}

find_python() {
    local candidate
    for candidate in "$@" /usr/bin/python3 /usr/bin/python3.1{5,4,3,2,1} /usr/local/bin/python3; do
        usable_python "$candidate" && return
    done
    fail "no Python 3.11 or newer with ensurepip outside of the home folders; Debian: apt-get install python3 python3-venv"
}

# Where the system's Python was replaced by a newer one, the environment's is new as well, and what it would import is not.
is_for() {
    local home=$1 python=$2 version ask='import sys; print("%d.%d" % sys.version_info[:2])'
    version=$("$python" -c "$ask")
    [ "$("$home/bin/python" -c "$ask" 2>/dev/null)" = "$version" ] && [ -d "$home/lib/python$version" ]
}

install_environment() {
    local home=$DESTDIR$PREFIX python packages how=--upgrade
    python=$(find_python "$@")
    is_for "$home" "$python" || how=--clear
    "$python" -m venv $how --without-pip "$home"
    # ORDER: before all that takes long or can fail, so that an installation that was not finished can be repeated.
    touch "$home/$MARKER"
    if [ "$DEPENDENCIES" != none ]; then
        "$home/bin/python" -I -m ensurepip --upgrade --default-pip >/dev/null
        "$home/bin/python" -m pip --quiet --quiet --disable-pip-version-check --no-input install \
            --require-hashes --requirement requirements/daemon.txt
    fi
    # Copied, not built: a build would need tools that the service has no use for. What is no longer there must go.
    packages=$("$home/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for package in "${PACKAGES[@]}"; do
        rm -rf "${packages:?}/$package"
        cp -R "$package" "$packages/$package"
        find "$packages/$package" -name __pycache__ -prune -exec rm -rf {} +
    done
    # The service cannot write here.
    "$home/bin/python" -m compileall -q ${DESTDIR:+-s "$DESTDIR"} "${PACKAGES[@]/#/$packages/}"
    chmod -R go+rX "$home"
    say "made an environment in $PREFIX, with $("$home/bin/python" --version)"
}

is_our_command() { grep -qsF "exec $PREFIX/bin/python " "$DESTDIR$COMMAND"; }

install_files() {
    install -D -m 0644 systemd/omnishotd.service "$DESTDIR$UNIT"
    sed -i "s|/opt/omnishotd/|$PREFIX/|" "$DESTDIR$UNIT"
    say "wrote $UNIT"
    install -D -m 0644 systemd/omnishotd.sysusers "$DESTDIR$SYSUSERS"
    say "wrote $SYSUSERS"
    if [ -e "$DESTDIR$COMMAND" ] && ! is_our_command; then say "left $COMMAND as it is: it is not of this installation"
    else
        install -D -m 0755 /dev/stdin "$DESTDIR$COMMAND" <<END
#!/bin/sh
exec $PREFIX/bin/python -P -m omnishotd "\$@"
END
        say "wrote $COMMAND"
    fi
    install -d -m 0755 "$DESTDIR$CONFIGURATION"
    if [ -e "$DESTDIR$CONFIGURATION/omnishotd.toml" ]; then say "left $CONFIGURATION/omnishotd.toml as it is"
    else
        install -m 0644 systemd/omnishotd.toml "$DESTDIR$CONFIGURATION/omnishotd.toml"
        say "wrote $CONFIGURATION/omnishotd.toml"
    fi
}

# A package must not carry one: every host would have the same.
install_token() {
    if [ -e "$CONFIGURATION/token" ]; then
        say "left $CONFIGURATION/token as it is"
        return
    fi
    (umask 077 && "$PREFIX/bin/python" -c 'import secrets; print(secrets.token_urlsafe(32))' >"$CONFIGURATION/token.new")
    mv "$CONFIGURATION/token.new" "$CONFIGURATION/token"
    say "wrote $CONFIGURATION/token, which operators show"
}

is_managed() { is_live && [ -d /run/systemd/system ]; }

install_service() {
    may_write
    check_prefix
    install_environment "$@"
    install_files
    if ! is_live; then return; fi
    install_token
    systemd-sysusers "$SYSUSERS"
    if is_managed; then systemctl daemon-reload; fi
    if is_managed && systemctl is-active --quiet omnishotd; then
        say "the service runs, and each process that it starts from here on is a new one; now: systemctl restart omnishotd"
        return
    fi
    cat <<END
Next:
  systemctl enable --now omnishotd                start it, now and with the machine
  usermod -aG omnishotd-producers USER            let a user send frames to ipc:///run/omnishotd/frames.sock
  omnishotd health                                ask how it is; root may read the token
END
}

uninstall_service() {
    may_write
    check_prefix
    if is_managed && [ -e "$UNIT" ]; then systemctl disable --now --quiet omnishotd; fi
    rm -f "$DESTDIR$UNIT" "$DESTDIR$SYSUSERS"
    if is_our_command; then rm -f "$DESTDIR$COMMAND"; fi
    rm -rf "$DESTDIR${PREFIX:?}"
    if is_managed; then systemctl daemon-reload; fi
    say "took the service and $PREFIX away; left $CONFIGURATION and the group omnishotd-producers"
}

case ${1:-} in
    install) shift; install_service "$@" ;;
    uninstall) uninstall_service ;;
    *) fail "say install or uninstall" ;;
esac
