%include "guest.inc"
%include "gates.inc"
; An MSR that the virtual processor has not is #GP, whatever the real one has: one of each range that a permission map covers.
section .data
msrs:   dd      0xfe, 0xc0000080, 0xc0010117            ; MTRRcap; EFER; VM_HSAVE_PA, where the monitor's state is
section .text
main:
        gate    13, gp
        lidt    [idtr]
        xor     esi, esi
.next:  mov     ecx, [msrs + esi * 4]
        rdmsr
        exit    2
gp:     add     esp, 16                                 ; error code, EIP, CS, EFLAGS
        inc     esi
        cmp     esi, 3
        jb      main.next
        exit    5
