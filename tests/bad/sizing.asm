%include "guest.inc"
; Looks for RAM by writing and reading back, as kernels did before firmware told them: beyond its 64 MiB there is none, so that the
; next instruction must find ones again. Flags and DR6 are as they were, and the last two bytes of RAM are RAM.
main:
        mov     edi, 0x04000000
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        mov     ax, ss
        mov     ss, ax                          ; holds back what would step the next one: no more than that it goes on
        mov     dword [edi], 1
        cpuid                                   ; whatever was left of it is gone with an exit
        mov     dword [edi], 0x12345678
        cmp     dword [edi], -1
        jne     .wrong
        mov     dword [edi - 2], 0x12345678     ; half of it is there
        mov     eax, [edi - 2]
        cmp     eax, 0xffff5678
        jne     .wrong
        mov     dword [edi + 0xffe], 0          ; two pages of nothing
        cmp     dword [edi + 0xffe], -1
        jne     .wrong
        mov     esi, _start
        mov     ecx, 1024
        mov     edx, edi
        rep movsd                               ; a page, each time around
        cmp     dword [edx + 0x800], -1
        jne     .wrong
        lea     esp, [edx + 0x100]
        push    eax
        pop     ebx
        cmp     ebx, -1
        jne     .wrong
        mov     esp, stack_top
        pushf
        test    dword [esp], 0x100              ; no trap flag is left behind
        jnz     .wrong
        mov     eax, dr6                        ; nor a step that the guest did not ask for
        cmp     eax, 0xffff0ff0
        jne     .wrong
        exit    5
.wrong: exit    2
