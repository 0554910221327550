%include "guest.inc"
%include "gates.inc"
; User code jumps to what MOV says the kernel's CS is. On a processor that is 0x08, of DPL 0: #GP. A VMM that runs
; guest code directly shows a selector of its own there, which the jump finds: the guest must not become the kernel by
; it, so the VMM stops it.
descriptors 0x00cffa000000ffff, 0, 0, 0, 0x00cff2000000ffff, 0x0000890000000067
section .data
align 4
target: dd      far_away
selector: dw    0
section .text
main:
        lgdt    [more_gdtr]
        user_tss
        gate    13, general_protection
        lidt    [idtr]
        mov     dword [PAGE_DIR], 0x87
        paging_on 0x10                  ; PSE
        mov     [selector], cs
        to_user user
user:
        mov     ax, 0x3b
        mov     ds, ax
        jmp     far [target]
far_away:
        mov     eax, cr0                ; the kernel's alone
        exit    2
general_protection:
        exit    5
