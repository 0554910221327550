; System calls by INT, even where there is a shorter way.
;   void nano_int(uint32_t n, uint32_t number);     n >= 1 turns; changes eax, ecx, edx and the flags, as cdecl allows
bits 32
section .text

global nano_int
nano_int:
        push    edi
        mov     edi, [esp + 8]
.again: mov     eax, [esp + 12]
        int     0x40
        dec     edi
        jnz     .again
        pop     edi
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
