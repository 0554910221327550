%include "guest.inc"
%include "gates.inc"
; RET to an offset beyond the code segment: #GP(0) at the RET, its address still on the stack (Intel SDM vol. 2B, RET).
descriptors 0x00c09a0000000200                  ; 0x18: code up to 0x00200fff
main:
        lgdt    [more_gdtr]
        gate    13, general_protection
        lidt    [idtr]
        jmp     0x18:.in
.in:
        push    0x00300000
too_far:
        ret
general_protection:
        cmp     dword [esp], 0
        jne     .wrong
        cmp     dword [esp + 4], too_far
        jne     .wrong
        cmp     dword [esp + 16], 0x00300000
        jne     .wrong
        exit    5
.wrong: exit    2
