#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Halt the machine at reset in QEMU and attach gdb, with the symbols of kernel and user programs.
# The runner's options (SMP, DISK, ...) apply; arguments go to gdb. The console is in a file, whose
# name is printed. Leaving gdb ends QEMU.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
work=$(mktemp -d)
console=$work/console.log
socket=$work/gdb
kernel=${KERNEL:-$root/build/neuron.elf}
qemu=

finish() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

# Ctrl-C reaches every process of the terminal's foreground group, and QEMU ends on it whatever it
# inherits. In a session of its own it does not get it; gdb does, and stops the machine.
GDB=$socket SERIAL=file:$console setsid "$root/scripts/run-qemu-rv64.sh" </dev/null &
qemu=$!
tries=0
while [ ! -S "$socket" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$qemu" 2>/dev/null; then
        echo "debug: QEMU did not start" >&2
        exit 1
    fi
    sleep 0.1
done

echo "debug: the console goes to $console (tail -f it); 'continue' starts the machine, Ctrl-C stops it" >&2
echo "debug: user programs all link at 0x400000: a breakpoint in one may stop others at the same address" >&2
trap ':' INT
# Sources and symbols are named relative to the checkout.
cd -- "$root"
gdb-multiarch -q -iex 'set confirm off' -ex 'set architecture riscv:rv64' \
    -ex 'source build/symbols.gdb' -ex "target remote $socket" "$@" "$kernel"
