; Lab 5, steps 3 and 4: code that changes is translated anew, whoever has jumped there before.
%include "steps.inc"
        xor     esi, esi
        mov     edi, 20
.turn:  call    changes
        add     esi, eax
        rol     esi, 5
        mov     ecx, edi
        imul    ecx, ebp
        mov     [changes + 1], ecx              ; the immediate of its MOV
        dec     edi
        jnz     .turn
        mov     eax, esi
        show    "changed-by-a-store"
        mov     esi, other                      ; a whole function over another
        mov     edi, copied
        mov     ecx, other_end - other
        rep movsb
        call    copied
        show    "copied-over"
        mov     byte [copied], 0xc3             ; RET: what was behind it is not reached any more
        mov     eax, ebp
        call    copied
        show    "cut-short"
        mov     byte [.here + 1], 7             ; behind the store that changes it, in one block
.here:  mov     al, 1
        movzx   eax, al
        show    "changed-ahead"
        end
changes: mov    eax, 1
        ret
other:  mov     eax, ebp
        not     eax
        ret
other_end:
copied: mov     eax, 0
        nop
        nop
        nop
        nop
        ret
