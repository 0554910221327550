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
        call    copied
        mov     esi, other                      ; a whole function over another that has run
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
        mov     edi, 20                         ; reached by the table alone
.jump:  mov     dword [back], .back
        jmp     [leads_to]
.back:  add     esi, eax
        rol     esi, 5
        mov     ecx, edi
        imul    ecx, ebp
        mov     [by_table + 1], ecx
        dec     edi
        jnz     .jump
        mov     eax, esi
        show    "changed-by-the-table"
        mov     edi, 20                         ; two blocks on one page: both change, by turns the one or the other first
        xor     esi, esi
.two:   call    first
        add     esi, eax
        call    second
        rol     esi, 3
        xor     esi, eax
        mov     ecx, edi
        imul    ecx, ebp
        test    edi, 1                          ; while one of the two is left, the page stays sealed
        jz      .even
        mov     [first + 1], ecx
        mov     [second + 1], ecx
        jmp     .next
.even:  mov     [second + 1], ecx
        mov     [first + 1], ecx
.next:  dec     edi
        jnz     .two
        mov     eax, esi
        show    "changed-in-turn"
        end
section .data
leads_to: dd    by_table
back:   dd      0
section .text
align 4096                                      ; a page each, for one with too many writes to it is let go
first:  mov     eax, 3
        ret
second: mov     eax, 4
        ret
align 4096
by_table: mov   eax, 2
        jmp     [back]
align 4096
changes: mov    eax, 1
        ret
align 4096
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
