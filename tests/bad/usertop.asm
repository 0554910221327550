%include "guest.inc"
%include "gates.inc"
; User code reads the kernel's first byte through a segment that begins there: a page fault, CR2 0xc0000000, error
; code 5 (Intel SDM vol. 3A 4.7). It must not see the last user byte, just below, instead.
descriptors 0x00cffa000000ffff, 0, 0, 0, 0x00cff2000000ffff, 0x0000890000000067, 0xc0cff2000000ffff
main:
        lgdt    [more_gdtr]
        user_tss
        gate    14, page_fault
        lidt    [idtr]
        mov     dword [PAGE_DIR], 0x87
        mov     dword [PAGE_DIR + 0x2ff * 4], 0x00400087        ; user, up to 0xbfffffff
        mov     dword [PAGE_DIR + 0x300 * 4], 0x00000083        ; the kernel's, above
        mov     byte [0x007fffff], 0x5a
        paging_on 0x10                          ; PSE
        to_user user
user:
        mov     ax, 0x3b
        mov     ds, ax
        cmp     byte [0xbfffffff], 0x5a
        jne     spoiled
        mov     ax, 0x4b
        mov     gs, ax
kernels_byte:
        mov     al, [gs:0]
spoiled: ud2                                    ; no gate: a triple fault
page_fault:
        mov     eax, cr2
        cmp     eax, 0xc0000000
        jne     .wrong
        cmp     dword [esp], 5
        jne     .wrong
        cmp     dword [esp + 4], kernels_byte
        jne     .wrong
        exit    5
.wrong: exit    2
