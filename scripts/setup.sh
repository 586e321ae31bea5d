#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what a task needs and lacks: scripts/setup.sh [build] [test] [dev] [bench-linux]   (default: build)
#
# build: compile and boot; also libsodium's source, which packagefsd is built with. test: also run every
# test. dev: also debug, fuzz, format and lint.
# bench-linux: also compile programs for Linux, which ./nexus bench --vs-linux compares with.
# On Debian it compares package names with dpkg's list, says what it installs and installs it with
# apt-get (through sudo when not root). Elsewhere it looks for the tools themselves and names those
# that are missing. When nothing is missing it is silent and takes a few milliseconds.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
libsodium=$root/build/debian-source/libsodium/src/libsodium

build_packages='meson ninja-build pkgconf gcc g++ libc6-dev python3
    gcc-riscv64-unknown-elf binutils-riscv64-unknown-elf picolibc-riscv64-unknown-elf
    qemu-system-misc qemu-system-data opensbi device-tree-compiler
    capnproto libcapnp-dev libcmocka-dev libfdt-dev erofs-utils minisign cpio
    dpkg-dev debian-archive-keyring'
test_packages='python3-pexpect cryptsetup-bin spin'
bench_linux_packages='gcc-riscv64-linux-gnu libc6-dev-riscv64-cross make flex bison bc xz-utils'
dev_packages='gdb-multiarch clang clang-format clang-tidy libclang-rt-dev shellcheck'

build_tools='meson ninja pkg-config gcc g++ python3 riscv64-unknown-elf-gcc riscv64-unknown-elf-ld
    qemu-system-riscv64 dtc fdtput capnp mkfs.erofs minisign cpio'
test_tools='veritysetup spin'
bench_linux_tools='riscv64-linux-gnu-gcc dpkg-deb apt-get make flex bison bc'
dev_tools='gdb-multiarch clang clang-format clang-tidy shellcheck'

say() {
    echo "setup: $*" >&2
}

missing_packages() {
    # shellcheck disable=SC2086  # a list of words
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $1 2>/dev/null |
        sed -n 's/^ii *//p')
    for package in $1; do
        echo "$installed" | grep -qx "$package" || printf '%s ' "$package"
    done
}

install_packages() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "these Debian packages are missing, and installing needs root or sudo: $1"
            exit 1
        fi
        as_root=sudo
    fi
    say "installing Debian packages: $1"
    # A fresh desktop may be updating itself just now.
    wait_for_lock='-o DPkg::Lock::Timeout=300'
    # shellcheck disable=SC2086  # a list of words; an empty $as_root is no word
    if ! { $as_root apt-get $wait_for_lock update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait_for_lock install -qq -y \
            --no-install-recommends $1; } >&2; then
        say "apt-get could not install them; install these packages by hand: $1"
        exit 1
    fi
}

check_tools() {
    missing=
    for tool in $1; do
        command -v "$tool" >/dev/null || PATH="$PATH:/sbin:/usr/sbin" command -v "$tool" >/dev/null ||
            missing="$missing $tool"
    done
    [ -z "$missing" ] && return
    say "this is no Debian system, so nothing is installed by itself; these tools are missing:$missing"
    say "also needed: picolibc for riscv64-unknown-elf, OpenSBI for QEMU, and the C libraries cmocka, libfdt, libcapnp"
    exit 1
}

packages=$build_packages
tools=$build_tools
for group in "$@"; do
    case $group in
    build) ;;
    test)
        packages="$packages $test_packages"
        tools="$tools $test_tools"
        ;;
    dev)
        packages="$packages $dev_packages"
        tools="$tools $dev_tools"
        ;;
    bench-linux)
        packages="$packages $bench_linux_packages"
        tools="$tools $bench_linux_tools"
        ;;
    *)
        say "no such group: $group (groups: build, test, dev, bench-linux)"
        exit 2
        ;;
    esac
done

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=$(missing_packages "$packages")
    [ -z "$missing" ] || install_packages "$missing"
else
    check_tools "$tools"
fi

if [ ! -d "$libsodium" ]; then
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" "$root/scripts/fetch-libsodium.py"
fi
