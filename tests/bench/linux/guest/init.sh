#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Process 1 of the guest: mounts, loads modules in the order of /modules, waits until the kernel's late
# work is done, runs the subjects that the boot argument nexus.bench=NAME,NAME... names, powers off.
# Every line for the host begins with "bench: ".
box=/bin/busybox
say() { echo "bench: $*"; }

$box mount -t devtmpfs none /dev || say "note no devtmpfs"
$box mount -t proc none /proc || say "note no proc"
$box mount -t sysfs none /sys || say "note no sysfs"
# With little memory Linux turns huge pages off by itself; a subject that asks for them gets them.
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled || say "note no huge pages"
while read -r module; do
    $box insmod "/modules.d/$module" || say "note module $module was not loaded"
done </modules

tries=50
while [ ! -b /dev/vda ] && [ $tries -gt 0 ]; do
    $box sleep 0.1
    tries=$((tries - 1))
done
[ -b /dev/vda ] || say "note no disk"
$box mount -t erofs -o ro /dev/vda /mnt || say "note the disk was not mounted as erofs"

subjects=
settle=0
for word in $($box cat /proc/cmdline); do
    case $word in
    nexus.bench=*) subjects=$(echo "${word#nexus.bench=}" | $box tr , ' ') ;;
    nexus.settle=*) settle=${word#nexus.settle=} ;;
    esac
done
$box sleep "$settle"
# On the first hart only, so that no other has ever run it.
# shellcheck disable=SC2086 # a list of words
$box taskset 1 /bin/bench $subjects | while read -r line; do say "$line"; done
$box poweroff -f
