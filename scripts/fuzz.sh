#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz one parser: scripts/fuzz.sh TARGET SECONDS [libFuzzer options]; without arguments, the targets.
#
# A target is tests/fuzz/fuzz_TARGET.c. It is linked with the libraries that need no operating
# system, and with further sources that it names in a line `// fuzz-sources: PATH...` (from the top
# of the checkout). Seeds come from tests/fuzz/corpus/TARGET/ when there are some; what is found
# grows in build/fuzz/TARGET/corpus/, and an input that fails is kept in build/fuzz/TARGET/.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd -- "$root"

targets() {
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] || continue
        name=${source#tests/fuzz/fuzz_}
        echo "${name%.c}"
    done
}

usage() {
    echo "usage: ./nexus fuzz TARGET SECONDS; the targets:" >&2
    targets | sed 's/^/  /' >&2
    exit 2
}

[ $# -ge 2 ] || usage
target=$1
seconds=$2
shift 2
source=tests/fuzz/fuzz_$target.c
[ -r "$source" ] || usage
case $seconds in
'' | *[!0-9]*) usage ;;
esac

out=build/fuzz/$target
mkdir -p "$out/objects" "$out/corpus"
flags='-std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined
    -fno-sanitize-recover=all -Isource/abi -Isource/libs -Isource/drivers -Itests/host -Ibuild/schemas
    -isystem build/debian-source/libsodium/src/libsodium/include'

# An archive, so that a target takes only what it calls.
rm -f "$out/objects/"*.o "$out/libraries.a"
find source/libs source/drivers -name '*.c' ! -path 'source/libs/nexus/*' | sort | while read -r file; do
    object=$out/objects/$(echo "$file" | tr / _).o
    # shellcheck disable=SC2086  # a list of words
    clang $flags -c -o "$object" "$file" || exit 1
done
ar rcs "$out/libraries.a" "$out/objects/"*.o

more=$(sed -n 's|^// fuzz-sources: *||p' "$source")
# shellcheck disable=SC2086  # lists of words
clang $flags -o "$out/fuzz_$target" "$source" $more "$out/libraries.a" build/source/libs/verity/libsodium_host.a

set -- -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$out/" "$@" "$out/corpus"
[ ! -d "tests/fuzz/corpus/$target" ] || set -- "$@" "tests/fuzz/corpus/$target"
exec "$out/fuzz_$target" "$@"
