// SPDX-License-Identifier: Apache-2.0
// The empty symbol table of the first link: symbols.c describes it.
	.section .symbols, "a", @progbits
	.global symbol_count, symbol_offsets, symbol_name_starts, symbol_names
	.global symbol_base, symbol_end
	.balign 4
symbol_count:
	.word	0
symbol_offsets:
symbol_name_starts:
symbol_names:
	.set	symbol_base, __text_start
	.set	symbol_end, __text_start
