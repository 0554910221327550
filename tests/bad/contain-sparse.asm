; contain.asm in less time: fewer of the writes beyond RAM, but at every place that a page can have in a table.
%define SPARSE
STRIDE          equ 0x41000
%include "contain.asm"
