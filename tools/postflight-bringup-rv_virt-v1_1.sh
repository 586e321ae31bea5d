#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The proof of RISC-V bring-up v1.1, line by line: one verdict for each line of its contract.
#
# It builds, runs the test profiles that the contract's lines rest on, and then looks for each line in
# the log of the boot it belongs to. The last line is the count; the exit status the verdict.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
logs=$root/build/test-logs
log=$logs/smp4.log
good=0
bad=0

verdict() {
    if [ "$1" -eq 0 ]; then
        good=$((good + 1))
        printf 'ok       %s\n' "$2"
    else
        bad=$((bad + 1))
        printf 'MISSING  %s\n' "$2"
    fi
}

# A line of the console log, as an extended regular expression for the whole line.
marker() {
    status=0
    tr -d '\r' <"$log" | grep -Eqx -- "$2" || status=1
    verdict $status "$1"
}

# Any command that must succeed, quietly.
holds() {
    what=$1
    shift
    status=0
    "$@" >/dev/null 2>&1 || status=1
    verdict $status "$what"
}

refuses_five_harts() {
    ! SMP=5 "$root/scripts/run-qemu-rv64.sh"
}

# The compiled tree of N harts names N and no more.
tree_has_harts() {
    [ "$(dtc -q -I dtb -O dts "$root/build/virt-nexus-smp$1.dtb" | grep -c 'cpu@[0-9] {')" -eq "$1" ]
}

tree_says() {
    [ "$(fdtget "$root/build/virt-nexus-smp4.dtb" "$1" "$2")" = "$3" ]
}

image_ships_tree() {
    grep -q '  dts/virt-nexus.dts$' "$root/build/pkgfs.img.sums"
}

gate() {
    "$root/scripts/qemu-test.sh" "$@"
}

"$root/scripts/setup.sh" build test
"$root/nexus" build
profiles=0
gate smp1 smp2 smp3 smp4 no-disk red-ipi red-hart red-timer red-disk red-byte nx-commands || profiles=1

echo
echo 'Device tree and runner'
for n in 1 2 3 4; do
    holds "virt-nexus-smp$n.dtb names exactly $n harts" tree_has_harts $n
done
holds 'virtio_mmio@10001000 is status = "okay"' tree_says /soc/virtio_mmio@10001000 status okay
holds 'virtio_mmio@10001000 interrupts at IRQ 1' tree_says /soc/virtio_mmio@10001000 interrupts 1
holds 'pkg://dts/virt-nexus.dts is in the image' image_ships_tree
holds 'SMP beyond four harts is refused' refuses_five_harts

echo 'Kernel'
marker 'neuron: hart0 boot virt smp=4' 'neuron: hart0 boot virt smp=4'
for hart in 0 1 2 3; do
    marker "neuron: hart$hart online" "neuron: hart$hart online"
    marker "neuron: hart$hart tick n=..." "neuron: hart$hart tick n=[0-9]+"
done
marker 'neuron: ipi hartX->hartY' 'neuron: ipi hart[0-3]->hart[0-3]'

echo 'Services'
marker 'virtioblkd: ready' 'virtioblkd: ready'
marker 'virtioblkd: mmio=0x... irq=... sectors=...' 'virtioblkd: mmio=0x[0-9a-f]+ irq=[0-9]+ sectors=[0-9]+'
marker 'pkgfs: mounted from virtio-blk ro' 'pkgfs: mounted from virtio-blk ro'

echo 'Diagnostics'
marker 'nx: smp online=4' 'nx: smp online=4'
marker 'nx: vblk sectors=...' 'nx: vblk sectors=[0-9]+'

echo 'Self-tests'
marker 'SELFTEST: smp per-hart ticks ok' 'SELFTEST: smp per-hart ticks ok'
marker 'SELFTEST: smp ipi ok' 'SELFTEST: smp ipi ok'
marker 'SELFTEST: pkgfs virtio ro ok' 'SELFTEST: pkgfs virtio ro ok'

echo 'Gate'
holds 'every profile above passed, every counterfactual turned its gate red' test $profiles -eq 0

echo
echo "$good ok, $bad missing"
[ "$bad" -eq 0 ]
