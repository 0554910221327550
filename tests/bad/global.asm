%include "guest.inc"
%include "gates.inc"
; A page that was global and is local now. INVLPG drops the global translation, so that the next access makes a
; local one, and a load of CR3 must drop that (Intel SDM vol. 3A 4.10.2.4, 4.10.4.1).
OTHER_DIR equ PAGE_DIR + 0x1000
TABLE   equ PAGE_DIR + 0x2000
OTHER   equ PAGE_DIR + 0x3000
PAGE    equ 0x00400000
main:
        mov     dword [PAGE_DIR], 0x83          ; the first 4 MiB as they are, in both spaces
        mov     dword [OTHER_DIR], 0x83
        mov     dword [PAGE_DIR + 4], TABLE + 3
        mov     dword [OTHER_DIR + 4], OTHER + 3
        mov     dword [TABLE], 0x00300103       ; global
        mov     dword [OTHER], 0x00302003
        mov     dword [0x00300000], 0x11111111
        mov     dword [0x00301000], 0x22222222
        mov     dword [0x00302000], 0x33333333
        paging_on 0x90                          ; PSE, PGE
        cmp     dword [PAGE], 0x11111111
        jne     .wrong
        mov     dword [TABLE], 0x00301003       ; local from now on
        invlpg  [PAGE]
        cmp     dword [PAGE], 0x22222222
        jne     .wrong
        mov     eax, OTHER_DIR
        mov     cr3, eax
        cmp     dword [PAGE], 0x33333333
        jne     .stale
        exit    5
.wrong: exit    2
.stale: exit    3
