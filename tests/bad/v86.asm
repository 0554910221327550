%include "guest.inc"
; In virtual-8086 mode CPL is 3, whatever CS holds: an INS there must not write to a page of the kernel's.
%include "gates.inc"
KERNELS equ 0x90000
TASK    equ 0x8000
descriptors 0, 0, 0, 0, 0, 0x0000890000000067
main:
        lgdt    [more_gdtr]
        user_tss                                ; its I/O map lets port 0x80 through
        gate    14, page_fault
        gate    13, protection
        lidt    [idtr]
        mov     dword [TASK], 0x90f4906c        ; INSB; NOP; HLT
        mov     edi, PAGE_DIR + 0x1000
        mov     [PAGE_DIR], edi
        or      dword [PAGE_DIR], 7
        mov     eax, 7
        mov     ecx, 1024
.page:  mov     [edi], eax
        add     eax, 0x1000
        add     edi, 4
        loop    .page
        mov     dword [PAGE_DIR + 0x1000 + KERNELS / 0x1000 * 4], KERNELS | 3
        paging_on 0
        mov     edx, 0x80
        xor     edi, edi
        push    0                               ; GS, FS, DS
        push    0
        push    0
        push    KERNELS / 16                    ; ES
        push    0                               ; SS:ESP
        push    0x7000
        push    0x20002                         ; VM
        push    TASK / 16                       ; CS: its two lowest bits are 0
        push    0
        iret
page_fault:
        mov     eax, cr2
        cmp     eax, KERNELS
        jne     protection
        cmp     dword [esp], 7                  ; user, write, present
        jne     protection
        exit    5
protection:
        exit    2
