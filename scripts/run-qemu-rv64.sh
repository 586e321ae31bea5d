#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boot Nexus in QEMU. Everything is chosen by environment variables:
#
#   SMP=1..4             harts (4)
#   CPU=MODEL            such as rv64,zbb=off (rv64); the tree of DTB should say the same
#   VIRTIO=modern|legacy virtio-mmio transport (modern)
#   DISK=PATH|none       package image (build/pkgfs.img); also IMAGE=PATH
#   DISK_DEVICE=OPTIONS  more options of the disk's -device, such as logical_block_size=4096
#   DISK_DRIVE=OPTIONS   more options of its -drive, such as throttling.iops-read=10
#   DISK_FAULTS=PATH     read the image through QEMU's blkdebug with this configuration
#   DISK_SLOT=0..7       virtio-mmio slot of the disk (0)
#   DTB=PATH|qemu        device tree (build/virt-nexus-smp$SMP.dtb); qemu: the one QEMU makes
#   FIRMWARE=PATH        SBI firmware (QEMU's own OpenSBI)
#   KERNEL=PATH          kernel (build/neuron.elf)
#   INITRD=PATH          boot archive (build/initrd.cpio)
#   APPEND=WORDS         boot arguments
#   MEMORY=SIZE          such as 512M or 1G, at least 16M (256M)
#   ICOUNT=1             deterministic: virtual time counts instructions, one host thread; with a
#                        console on this terminal for SMP=1 only
#   METER=OPTIONS        count executed instructions (tools/qemu-meter says the options); with ICOUNT=1
#   SERIAL=console       console on this terminal, Ctrl-A X leaves (default); a reboot boots again,
#                        with the other two it ends QEMU
#         =stdio         plain standard input and output, no QEMU monitor
#         =file:PATH     write the console to a file
#   GDB=1|PATH           halt at reset and wait for gdb on port 1234, or on a Unix socket at PATH
#   PIDFILE=PATH         write QEMU's process id there
#
# Arguments are passed on to QEMU.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build

refuse() {
    echo "run-qemu: $*" >&2
    exit 2
}

# QEMU's option parser ends a value at a comma; a doubled comma stands for one.
escape() {
    printf '%s' "$1" | sed 's/,/,,/g'
}

need_file() {
    [ -r "$2" ] || refuse "$1 not found: $2 (./nexus build makes those in build/)"
}

SMP=${SMP:-4}
case $SMP in
1 | 2 | 3 | 4) ;;
*) refuse "SMP=$SMP is not supported: use 1, 2, 3 or 4 harts" ;;
esac

CPU=${CPU:-rv64}
least_memory=16
MEMORY=${MEMORY:-256M}
case $MEMORY in
*[!0-9]*[MG] | [MG] | 0[0-9]*[MG] | ?????????* | '' | *[!0-9MG]*) refuse "MEMORY=$MEMORY is not a size such as 256M or 1G" ;;
*M) mebibytes=${MEMORY%M} ;;
*G) mebibytes=$((${MEMORY%G} * 1024)) ;;
*) refuse "MEMORY=$MEMORY is not a size such as 256M or 1G" ;;
esac
[ "$mebibytes" -ge "$least_memory" ] || refuse "MEMORY=$MEMORY is too little: Nexus needs ${least_memory}M"

KERNEL=${KERNEL:-$build/neuron.elf}
INITRD=${INITRD:-$build/initrd.cpio}
need_file kernel "$KERNEL"
need_file 'boot archive' "$INITRD"

set -- -kernel "$KERNEL" -initrd "$INITRD" -append "${APPEND:-}" "$@"
set -- -machine virt -cpu "$CPU" -smp "$SMP" -m "$MEMORY" -display none -nic none -seed 1 "$@"

case ${VIRTIO:-modern} in
modern) set -- -global virtio-mmio.force-legacy=off "$@" ;;
legacy) set -- -global virtio-mmio.force-legacy=on "$@" ;;
*) refuse "VIRTIO=$VIRTIO is not a transport: use modern or legacy" ;;
esac

DISK=${DISK:-${IMAGE:-$build/pkgfs.img}}
if [ "$DISK" != none ]; then
    need_file 'package image' "$DISK"
    if [ -n "${DISK_FAULTS:-}" ]; then
        need_file 'blkdebug configuration' "$DISK_FAULTS"
        DISK=blkdebug:$DISK_FAULTS:$DISK
    fi
    set -- -drive "if=none,id=pkgfs,format=raw,file=$(escape "$DISK"),readonly=on${DISK_DRIVE:+,$DISK_DRIVE}" \
        -device "virtio-blk-device,drive=pkgfs,bus=virtio-mmio-bus.${DISK_SLOT:-0}${DISK_DEVICE:+,$DISK_DEVICE}" "$@"
fi

DTB=${DTB:-$build/virt-nexus-smp$SMP.dtb}
if [ "$DTB" != qemu ]; then
    need_file 'device tree' "$DTB"
    if [ "$MEMORY" != 256M ]; then
        # QEMU takes the memory node of a given tree as it is, so the size is rewritten here.
        resized=$build/$(basename -- "$DTB" .dtb)-$MEMORY.dtb
        # Under another name first: a second boot with this much memory may start meanwhile.
        cp -- "$DTB" "$resized.$$"
        fdtput -t x "$resized.$$" /memory@80000000 reg 0 80000000 \
            "$(printf '%x' $((mebibytes >> 12)))" "$(printf '%x' $(((mebibytes << 20) & 0xffffffff)))"
        mv -f -- "$resized.$$" "$resized"
        DTB=$resized
    fi
    set -- -dtb "$DTB" "$@"
fi

if [ -n "${FIRMWARE:-}" ]; then
    need_file firmware "$FIRMWARE"
    set -- -bios "$FIRMWARE" "$@"
fi

case ${ICOUNT:-0} in
0) ;;
1)
    set -- -icount shift=0,sleep=off -rtc base=2000-01-01,clock=vm "$@"
    # tools/qemu-icount/ says what QEMU 7 lacks: turns for every hart, disk reads in virtual time.
    plugin=$build/tools/qemu-icount/deterministic-icount.so
    case $(qemu-system-riscv64 --version) in
    *'version 7.'*)
        need_file 'QEMU plugin' "$plugin"
        set -- -plugin "$(escape "$plugin")" "$@"
        ;;
    esac
    ;;
*) refuse "ICOUNT=$ICOUNT: use 1 or leave it unset" ;;
esac

if [ -n "${METER:-}" ]; then
    [ "${ICOUNT:-0}" = 1 ] || refuse "METER needs ICOUNT=1: it counts where all harts run by turns"
    need_file 'QEMU plugin' "$build/tools/qemu-meter/meter.so"
    set -- -plugin "$(escape "$build/tools/qemu-meter/meter.so"),$METER" "$@"
fi

# QEMU 7.2's virtual time can stand still while nobody types, and then its terminal does, too.
[ "${SERIAL:-console}" != console ] || [ "${ICOUNT:-0}" != 1 ] || [ "$SMP" = 1 ] ||
    refuse "ICOUNT=1 with a console on this terminal needs SMP=1; ./nexus nx runs commands on more harts"

case ${SERIAL:-console} in
console) set -- -serial mon:stdio "$@" ;;
stdio) set -- -no-reboot -serial stdio -monitor none "$@" ;;
file:*) set -- -no-reboot -serial "$SERIAL" -monitor none "$@" ;;
*) refuse "SERIAL=$SERIAL: use console, stdio or file:PATH" ;;
esac

case ${GDB:-} in
'') ;;
1) set -- -S -s "$@" ;;
*) set -- -S -chardev "socket,id=gdb,path=$(escape "$GDB"),server=on,wait=off" -gdb chardev:gdb "$@" ;;
esac

[ -z "${PIDFILE:-}" ] || set -- -pidfile "$PIDFILE" "$@"

# The firmware reads and drops a byte that comes before it has set up the UART. A pipe is ready at
# once, so it begins with line ends, of which the console makes nothing.
case ${SERIAL:-console} in
console | stdio)
    if [ -p /dev/stdin ]; then
        work=$(mktemp -d)
        mkfifo "$work/input"
        exec 3<&0
        {
            printf '\n\n'
            exec cat
        } <&3 >"$work/input" &
        exec <"$work/input" 3<&-
        rm -r "$work"
    fi
    ;;
esac

exec qemu-system-riscv64 "$@"
