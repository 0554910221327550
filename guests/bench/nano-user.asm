; Nanobenchmarks of ring 3 that ask nothing of a kernel: the guest's bench-user and build/native-twin link this one
; object, so that both run the same bytes. Each loop carries one operation a turn; nano_null is the loop's own cost.
;   void nano_NAME(uint32_t n);     n >= 1 turns; changes eax, ecx, edx and the flags, as cdecl allows
; Next: bench-user.c, which calls them; bench.asm has the same two for the kernel.
bits 32
section .text

%macro nano 1-2+
global nano_%1
align 32
nano_%1:
    mov ecx, [esp + 4]
    mov edx, empty
align 16
.turn:
    %2
    dec ecx
    jnz .turn
    ret
%endmacro

nano null
nano callret, call empty
nano callind, call edx

align 32
empty:
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
