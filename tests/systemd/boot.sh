#!/usr/bin/env bash
# Becomes a systemd with namespaces of its own, over a view of this machine's files whose changes stay in memory.
#
#   boot.sh STATE CGROUP [FROM:TO...]    in a mount namespace of its own; STATE: an empty folder; CGROUP: a name
#
# FROM of this machine is seen at TO. Nothing of this machine is written to: /dev, /run, /tmp, the network and the
# processes are others. When the process that is called ends, so does all that runs inside.
set -euo pipefail

# In a group of its own, so that what systemd makes of groups lies below it and can be taken away.
join_cgroup() {
    mount -t cgroup2 none "$state"
    local own
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    mkdir "$state$own/$cgroup"
    echo $$ >"$state$own/$cgroup/cgroup.procs"
    umount "$state"
}

make_devices() {
    local dev=$1 device
    mount -t tmpfs -o mode=0755,nosuid tmpfs "$dev"
    for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
        IFS=: read -r name major minor <<<"$device"
        mknod -m 0666 "$dev/$name" c "$major" "$minor"
    done
    mkdir "$dev/pts" "$dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
    ln -s pts/ptmx "$dev/ptmx"
    ln -s /proc/self/fd "$dev/fd"
    ln -s fd/0 "$dev/stdin"
    ln -s fd/1 "$dev/stdout"
    ln -s fd/2 "$dev/stderr"
}

# Of the machine's own services none is started, and systemd does not take this for its first boot, which would enable
# them again.
leave_out_services() {
    local root=$1 units
    rm -rf "$root"/etc/systemd/system "$root"/usr/lib/systemd/system-generators "$root"/lib/systemd/system-generators
    for units in "$root"/usr/lib/systemd/system "$root"/lib/systemd/system; do
        find "$units" -path '*.wants/*' ! -name 'systemd-journald*' -delete 2>/dev/null || true
    done
    mkdir -p "$root"/etc/systemd/system "$root"/etc/systemd/journald.conf.d
    printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$root"/etc/systemd/journald.conf.d/tests.conf
    : >"$root"/etc/fstab
    echo 0123456789abcdef0123456789abcdef >"$root"/etc/machine-id
}

boot() {
    local root=$state/root pair
    mount --make-rprivate /
    mount -t tmpfs -o mode=0755 tmpfs "$state"
    mkdir "$root" "$state/upper" "$state/work"
    mount -t overlay -o "lowerdir=/,upperdir=$state/upper,workdir=$state/work" overlay "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 none "$root/sys/fs/cgroup"
    make_devices "$root/dev"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    for pair in "$@"; do
        mkdir -p "$root${pair#*:}"
        mount --bind "${pair%%:*}" "$root${pair#*:}"
    done
    leave_out_services "$root"
    mkdir "$root/run/machine"
    cd "$root"
    pivot_root . run/machine
    umount -l /run/machine
    rmdir /run/machine
    # What a service's helpers mount, as its credentials, systemd must see as well.
    mount --make-rshared /
    exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=journal
}

if [ "$1" = inside ]; then
    state=$2
    shift 2
    boot "$@"
fi
state=$1
cgroup=$2
shift 2
join_cgroup
exec unshare --mount --pid --fork --kill-child=KILL --cgroup --ipc --uts --net "$BASH" "$0" inside "$state" "$@"
