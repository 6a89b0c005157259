# shellcheck shell=sh disable=SC2034
# Shared by the scripts of this folder; sourced, POSIX sh.  Sets nothing but functions and the lists of packages.

# What the program is built with, what the demo needs besides, what the tests need, what only --full needs.
build_packages="gcc libc6-dev make pkg-config libmariadb-dev libzstd-dev libarchive-dev libssl-dev libxxhash-dev libjansson-dev
    libinih-dev libcurl4-openssl-dev libexpat1-dev"
demo_packages="mariadb-server-core mariadb-client-core tar zstd"
# A real S3 server, and two clients that know nothing of us.
s3_packages="radosgw ceph-mon ceph-osd python3-botocore awscli openssl"
test_packages="$demo_packages mariadb-client libcmocka-dev python3 python3-pymysql util-linux procps shellcheck mandoc $s3_packages"
swift_packages="swift-proxy swift-account swift-container swift-object memcached"
full_packages="valgrind $swift_packages"
coverage_packages="gcovr"

say() { # each argument is a line
    printf '%s\n' "$@"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Those of the packages that are not installed.
missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null) in
            *installed\ *) ;;
            *) printf ' %s' "$package" ;;
        esac
    done
}

# What an installation asks before it starts or enables a service, each time answered with no.  Some test packages bring
# services along (ceph's targets, smartmontools, memcached), and whoever wants only tests wants none of them.
policy=/usr/sbin/policy-rc.d
preset=/run/systemd/system-preset/00-dbsafe-tests.preset

quiet_begin() { # FOLDER for notes
    find /etc/init.d -type f >"$1/init-scripts" 2>/dev/null || :
    if [ ! -e "$policy" ]; then
        : >"$1/own-policy"
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    fi
    mkdir -p "${preset%/*}" && echo 'disable *' >"$preset"
}

quiet_end() { # FOLDER of quiet_begin
    rm -f "$preset"
    [ ! -e "$1/own-policy" ] || rm -f "$policy" "$1/own-policy"
    find /etc/init.d -type f 2>/dev/null | while read -r script; do
        grep -qxF "$script" "$1/init-scripts" || update-rc.d "${script##*/}" disable >/dev/null 2>&1 || :
    done
}

# Installs what is missing of the packages; without root rights it says how and ends.  None of them starts a service, nor is
# any enabled that was not there before.
need_packages() {
    command -v dpkg-query >/dev/null ||
        { say "This is not Debian: make sure that what these packages hold is there: $*" >&2; return 0; }
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        printf 'These packages are missing. Install them, then run this again:\n\n  sudo apt-get install --no-install-recommends%s\n' \
            "$missing" >&2
        exit 1
    fi
    say "Installing:$missing"
    notes=$(mktemp -d) || exit 1
    trap 'quiet_end "$notes"; exit 130' INT TERM HUP
    quiet_begin "$notes"
    status=0
    # shellcheck disable=SC2086 # a list of words
    { DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install $missing; } >"$notes/log" 2>&1 </dev/null ||
        status=$?
    quiet_end "$notes"
    trap - INT TERM HUP
    [ "$status" = 0 ] || cat "$notes/log" >&2
    rm -rf "$notes"
    [ "$status" = 0 ] || die "apt-get could not install:$missing"
    missing=$(missing_packages "$@")
    [ -z "$missing" ] || die "apt-get did not install:$missing"
}

cpus() {
    nproc 2>/dev/null || echo 1
}

# Starts a private MariaDB on FOLDER/s with data in FOLDER/data; its process id comes in $server_pid.  It dies with this shell.
#   start_server FOLDER [OPTION...]
start_server() {
    server_folder=$1
    shift
    [ "$(id -u)" != 0 ] || set -- --user=root "$@"
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin setpriv --pdeathsig KILL \
        mariadbd --no-defaults --datadir="$server_folder/data" --socket="$server_folder/s" \
        --pid-file="$server_folder/pid" --tmpdir="$server_folder" --skip-networking --skip-name-resolve \
        --local-infile=1 --performance-schema=0 --innodb-buffer-pool-size=128M --innodb-log-file-size=64M \
        --character-set-server=utf8mb4 --max-allowed-packet=64M "$@" >"$server_folder/server.log" 2>&1 </dev/null &
    server_pid=$!
    end=$(($(date +%s) + 60))
    until mariadb --defaults-file="$server_folder/client.cnf" -e 'SELECT 1' >/dev/null 2>&1; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ "$(date +%s)" -gt "$end" ]; then
            cat "$server_folder/server.log" >&2
            die "MariaDB did not start"
        fi
        sleep 0.05
    done
}

# Ends the server of start_server and waits for it.
stop_server() {
    [ -n "${server_pid:-}" ] || return 0
    kill "$server_pid" 2>/dev/null || :
    wait "$server_pid" 2>/dev/null || :
    server_pid=
}
