%include "guest.inc"
%include "gates.inc"
; A data segment that begins where the monitor keeps itself out of reach. Nothing is mapped there: the access is a
; page fault with that address in CR2, as anywhere else.
descriptors 0xffcf92000000ffff                  ; 0x18: base 0xff000000
main:
        lgdt    [more_gdtr]
        gate    14, page_fault
        lidt    [idtr]
        mov     dword [PAGE_DIR], 0x83
        paging_on 0x10                          ; PSE
        mov     ax, 0x18
        mov     fs, ax
        mov     al, [fs:0]
        exit    1
page_fault:
        mov     eax, cr2
        cmp     eax, 0xff000000
        jne     .wrong
        cmp     dword [esp], 0                  ; a read by the kernel of what is not present
        jne     .wrong
        exit    5
.wrong: exit    2
