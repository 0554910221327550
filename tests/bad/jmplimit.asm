%include "guest.inc"
%include "gates.inc"
; CALL to an offset beyond the code segment: #GP(0) at the CALL, nothing pushed (Intel SDM vol. 2A, CALL). The processor
; must not find out at the target, one instruction too late.
descriptors 0x00c09a0000000200                  ; 0x18: code up to 0x00200fff
main:
        lgdt    [more_gdtr]
        gate    13, general_protection
        lidt    [idtr]
        jmp     0x18:.in
.in:
        mov     eax, 0x00300000
        mov     ebp, esp
too_far:
        call    eax
general_protection:
        lea     ebx, [esp + 16]
        cmp     ebx, ebp                ; error code, EIP, CS, EFLAGS and no more
        jne     .wrong
        cmp     dword [esp], 0
        jne     .wrong
        cmp     dword [esp + 4], too_far
        jne     .wrong
        exit    5
.wrong: exit    2
