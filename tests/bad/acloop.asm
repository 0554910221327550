%include "guest.inc"
; #AC whose delivery raises #AC: its handler stays at ring 3, in a conforming segment, on a misaligned stack. A processor goes on with
; that for ever (CVE-2015-5307), so that a monitor must come in between to end it.
%include "gates.inc"
descriptors 0x00cffa000000ffff, 0x00cf9e000000ffff, 0, 0, 0x00cff2000000ffff, 0x0000890000000067
main:
        lgdt    [more_gdtr]
        user_tss
        gate    17, spin
        mov     word [idt + 17 * 8 + 2], 0x20
        lidt    [idtr]
        mov     dword [PAGE_DIR], 0x87
        mov     eax, cr0
        or      eax, 0x40000                    ; AM
        mov     cr0, eax
        paging_on 0x10                          ; PSE
        to_user user
user:   mov     ax, 0x3b
        mov     ds, ax
        push    0x40202                         ; AC
        popf
        sub     esp, 3
        mov     eax, [esp]
spin:   jmp     spin
