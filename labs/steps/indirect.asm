; Lab 5, step 1: returns, and calls and jumps through registers and memory.
%include "steps.inc"
        mov     eax, ebp
        call    double
        show    "ret"
        push    eax
        push    dword 3
        mov     eax, ebp
        call    take_two
        mov     ecx, esp
        xor     eax, ecx
        show    "ret-n"
        mov     ecx, double
        mov     eax, ebp
        call    ecx
        show    "call-register"
        mov     eax, ebp
        call    [pointer]
        show    "call-memory"
        push    dword double                    ; where the operand is, is told before the push
        mov     eax, ebp
        call    [esp]
        pop     ecx
        show    "call-stack"
        mov     ecx, ebp
        and     ecx, 3
        jmp     [ways + ecx * 4]
way0:   mov     esi, 10
        jmp     met
way1:   mov     esi, 21
        jmp     met
way2:   mov     esi, 32
        jmp     met
way3:   mov     esi, 43
met:   mov     eax, esi
        show    "jmp-memory"
        mov     edi, 40                         ; one return, many callers
        xor     eax, eax
.again: call    double
        inc     eax
        call    double
        xor     eax, ebp
        call    double
        dec     edi
        jnz     .again
        show    "many-callers"
        end
double: add     eax, eax
        ret
take_two: sub   eax, [esp + 4]
        add     eax, [esp + 8]
        ret     8
section .data
pointer: dd     double
ways:   dd      way0, way1, way2, way3
