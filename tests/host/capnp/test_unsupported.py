#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each construct that capnpc-nexus does not support is an error that names it and its place.

Usage: test_unsupported.py CAPNP CAPNPC_NEXUS
"""

import subprocess
import sys
import tempfile
from pathlib import Path

# What the schema says, and what the error must hold.
REFUSED: list[tuple[str, str]] = [
    ("interface Service { call @0 () -> (); }", "schema.capnp:Service: interfaces"),
    ("struct A(T) { b @0 :T; }", "schema.capnp:A: generic types"),
    ("struct A { b @0 :AnyPointer; }", "schema.capnp:A.b: AnyPointer and interface"),
    ("struct A { b @0 :List(List(UInt8)); }", "schema.capnp:A.b: lists of lists"),
    ("struct A { b @0 :List(Void); }", "schema.capnp:A.b: lists of Void"),
    ("struct A { b @0 :List(Float32); }", "schema.capnp:A.b: lists of floating point"),
    ("struct A { b @0 :List(S); interface S { } }", "schema.capnp:A.S: interfaces"),
    ('struct A { b @0 :Text = "x"; }', "schema.capnp:A.b: default values of text"),
    ("struct A { b @0 :List(UInt8) = [1]; }", "schema.capnp:A.b: default values of text"),
    ("struct A { b @0 :B = (c = 1); struct B { c @0 :UInt8; } }", "schema.capnp:A.b: default"),
    ("annotation a @0xd0a6a4a2c7d1e3f5 (struct) :Void;", "schema.capnp:a: annotation decl"),
    ("annotation a @0xd0a6a4a2c7d1e3f5 (*) :Void; struct B $a { }", "annotation"),
    ('const a :Text = "x";', "schema.capnp:a: constants other than"),
    ("const a :Int8 = -1;", "schema.capnp:a: constants other than"),
    ('using O = import "other.capnp"; struct A { b @0 :O.Other; }', "schema.capnp:A.b: types imp"),
    ('using O = import "other.capnp"; struct A { b @0 :List(O.Other); }', "schema.capnp:A.b: types"),
    ("struct A { bC @0 :UInt8; b :group { c @1 :UInt8; } }", "schema.capnp:A.b.c: its C name"),
    ("struct A { which @0 :UInt8; union { b @1 :Void; c @2 :Void; } }", "A.which: its C name"),
    ("struct A { decode @0 :UInt8; }", "schema.capnp:A.decode: its C name schema_a_decode"),
]


def compile_schema(capnp: str, plugin: str, folder: Path, text: str) -> tuple[int, str]:
    """Compiles the declarations; returns the exit status and what was said."""
    (folder / "other.capnp").write_text("@0xb1a3c5d7e9f10203; struct Other { a @0 :UInt8; }\n")
    (folder / "schema.capnp").write_text("@0xa1b2c3d4e5f60718;\n" + text + "\n")
    command = [capnp, "compile", f"-o{plugin}:{folder}", f"--src-prefix={folder}"]
    result = subprocess.run(
        [*command, str(folder / "schema.capnp")], capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def main() -> int:
    capnp, plugin = sys.argv[1:]
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        status, said = compile_schema(capnp, plugin, folder, "struct A { b @0 :UInt8; }")
        if status != 0 or not (folder / "schema.capnp.h").is_file():
            print(f"FAIL a supported schema is refused: {said}")
            failures += 1
        for text, expected in REFUSED:
            (folder / "schema.capnp.h").unlink(missing_ok=True)
            status, said = compile_schema(capnp, plugin, folder, text)
            wrote = (folder / "schema.capnp.h").exists()
            if status == 0 or wrote or expected not in said:
                print(f"FAIL {text}\n  expected: {expected}\n  status {status}, said: {said}")
                failures += 1
    print(f"{len(REFUSED) + 1 - failures} of {len(REFUSED) + 1} passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
