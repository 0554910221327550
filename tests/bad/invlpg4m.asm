%include "guest.inc"
%include "gates.inc"
; INVLPG of any address in a 4 MiB page drops the whole of it, also where the processor holds it in pieces (Intel
; SDM vol. 3A 4.10.2.3, 4.10.4.1).
main:
        mov     dword [PAGE_DIR], 0x83
        mov     dword [PAGE_DIR + 4], 0x00800083
        mov     dword [0x00800000], 0x11111111
        mov     dword [0x00bff000], 0x11111111
        mov     dword [0x00c00000], 0x22222222
        mov     dword [0x00fff000], 0x22222222
        paging_on 0x10                          ; PSE
        cmp     dword [0x00400000], 0x11111111
        jne     .wrong
        cmp     dword [0x007ff000], 0x11111111
        jne     .wrong
        mov     dword [PAGE_DIR + 4], 0x00c00083
        invlpg  [0x00400000]
        cmp     dword [0x00400000], 0x22222222
        jne     .stale
        cmp     dword [0x007ff000], 0x22222222
        jne     .stale
        exit    5
.wrong: exit    2
.stale: exit    3
