// SPDX-License-Identifier: Apache-2.0
// Marks for tools/qemu-meter, which counts the instructions between them: a RISC-V hint, one
// instruction that does nothing on any machine.
#ifndef NEXUS_MARK_H
#define NEXUS_MARK_H

#define NX_MARK_LAP         1  // the border between two rounds of a loop
#define NX_MARK_BEGIN       2  // a measurement begins
#define NX_MARK_END         3  // and ends
#define NX_MARK_START       4  // from here, on whichever hart and in whichever process,
#define NX_MARK_STOP        5  // to here
#define NX_MARK_MOUNTED     6  // packagefsd has mounted its image
#define NX_MARK_SUBJECT     8  // the next subject of the benchmark, before its begin
#define NX_MARK_RESUME      7  // the next lap begins here; what was before belongs to none
#define NX_MARK_CHECK_BEGIN 9  // packagefsd checks the signature of its image
#define NX_MARK_CHECK_END   10 // and has done so

#define NX_MARK(number) __asm__ volatile("slti x0, x0, %0" : : "i"(number) : "memory")

#endif
