%include "guest.inc"
; Linux's system call instruction belongs to the guest: its own handler must see it. If Linux saw it, the
; registers would end the VMM with status 42.
section .data
align 8
idt:    times 0x81 dq 0
idtr:   dw      $ - idt - 1
        dd      idt

section .text
main:
        mov     eax, handler
        mov     [idt + 0x80 * 8], ax
        mov     word [idt + 0x80 * 8 + 2], 0x08
        mov     word [idt + 0x80 * 8 + 4], 0x8e00
        shr     eax, 16
        mov     [idt + 0x80 * 8 + 6], ax
        lidt    [idtr]
        mov     eax, 1                  ; exit in Linux's numbering
        mov     ebx, 42
        int     0x80
after:
        exit    1
handler:
        cmp     eax, 1
        jne     .wrong
        cmp     ebx, 42
        jne     .wrong
        cmp     dword [esp], after      ; the return address it pushed
        jne     .wrong
        cmp     dword [esp + 4], 0x08
        jne     .wrong
        exit    5
.wrong:
        exit    2
