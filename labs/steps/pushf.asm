; Lab 4, step 1: PUSHF shows the guest's flags, IF and IOPL among them, and changes nothing else.
%include "steps.inc"
        cmp     ebp, ebp
        look    "pushf-zero"
        cmp     esp, 0xffffffff
        look    "pushf-borrow"
        std
        look    "pushf-direction"
        cld
        mov     ecx, ebp                        ; registers that a sequence may borrow
        mov     edx, 0x600df1a6
        pushfd
        pop     eax
        xor     eax, ecx
        xor     eax, edx
        show    "pushf-keeps-registers"
        add     ebp, 0x7fffffff                 ; flags of the seed
        pushfd
        pushfd
        pop     eax
        pop     ebx
        sub     eax, ebx
        show    "pushf-twice"
        pushf                                   ; two bytes
        pop     ax
        movzx   eax, ax
        show    "pushf-word"
        end
