; Lab 4, step 4: direct branches: JMP, Jcc both ways, LOOP, JECXZ, CALL.
%include "steps.inc"
        jmp     near .over
        xor     ebp, ebp
.over:  mov     eax, 1
        show    "jmp"
        mov     ecx, ebp                        ; Collatz: the way depends on the seed
        and     ecx, 0xff
        inc     ecx
        xor     esi, esi
.turn:  inc     esi
        cmp     ecx, 1
        je      .end
        test    cl, 1
        jz      .even
        lea     ecx, [ecx + ecx * 2 + 1]
        jmp     short .turn
.even:  shr     ecx, 1
        jnz     .turn
.end:   mov     eax, esi
        show    "jcc"
        mov     eax, ebp
        cmp     ebp, ebp
        jz      near .equal                     ; two bytes of opcode
        not     eax
.equal: show    "jcc-near"
        mov     ecx, 100
        xor     eax, eax
.sum:   add     eax, ecx
        rol     eax, 3
        loop    .sum
        show    "loop"
        xor     ecx, ecx
        mov     eax, 7
        jecxz   .none
        mov     eax, 8
.none:  show    "jecxz"
        mov     eax, ebp
        call    double
        call    double
        show    "call"
        end
double: add     eax, eax
        ret
