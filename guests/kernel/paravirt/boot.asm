; The start under a paravirtual VMM, whose note this is; and what a processor without one is told.
%include "pc.inc"
%include "ops.inc"

KERNEL_BASE equ 0xc0000000
UART_LSR equ 5

extern pv_main

section .note.quadvisor note alloc noexec nowrite align=4
        dd      .name_end - .name, 12, PV_NOTE
.name:  db      "Quadvisor", 0
.name_end:
        align   4, db 0
        dd      PV_VERSION, pv_start, KERNEL_BASE               ; struct pv_note

section .text
bits 32
pv_start:                                       ; paging on, ESI = struct pv_start, no stack
        mov     esp, boot_stack_top
        push    esi
        call    pv_main                         ; void pv_main(const struct pv_start *); never returns

section .bss nobits alloc noexec write align=4096
        resb    16384
boot_stack_top:

; ---- without a VMM: multiboot's way in, flat protected mode ----
section .boot progbits alloc exec nowrite align=4096
        align   4
        dd      MULTIBOOT_HEADER_MAGIC, 3, -(MULTIBOOT_HEADER_MAGIC + 3)

global start
start:  mov     esi, sentence
.next:  mov     dx, PORT_COM1 + UART_LSR
.busy:  in      al, dx
        test    al, 0x20
        jz      .busy
        lodsb
        mov     dx, PORT_COM1
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   mov     al, 1
        out     PORT_DEBUG_EXIT, al
        cli
.halt:  hlt
        jmp     .halt

sentence: db "This kernel is bound to hypercalls: run it by build/paravirt. A bare machine wants kernel.elf.", 10, 0

section .note.GNU-stack noalloc noexec nowrite progbits
