; memcpy and memset, whole words first: a page costs a thousand cycles less than byte by byte.

global memcpy, memset

section .text
bits 32

; void *memcpy(void *to, const void *from, size_t bytes);
memcpy: push    esi
        push    edi
        mov     edi, [esp + 12]
        mov     esi, [esp + 16]
        mov     edx, [esp + 20]
        mov     eax, edi
        mov     ecx, edx
        shr     ecx, 2
        rep movsd
        mov     ecx, edx
        and     ecx, 3
        rep movsb
        pop     edi
        pop     esi
        ret

; void *memset(void *to, int byte, size_t bytes);
memset: push    edi
        mov     edi, [esp + 8]
        movzx   eax, byte [esp + 12]
        imul    eax, 0x01010101
        mov     edx, [esp + 16]
        mov     ecx, edx
        shr     ecx, 2
        rep stosd
        mov     ecx, edx
        and     ecx, 3
        rep stosb
        mov     eax, [esp + 8]
        pop     edi
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
