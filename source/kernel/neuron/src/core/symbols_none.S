// SPDX-License-Identifier: Apache-2.0
// The empty symbol table of the first link: symbols.c describes it.
	.section .symbols, "a", @progbits
	.global symbol_count, symbol_offsets, symbol_name_starts, symbol_names
	.balign 4
symbol_count:
	.word	0
symbol_offsets:
symbol_name_starts:
symbol_names:
