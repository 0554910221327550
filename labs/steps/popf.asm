; Lab 4, step 3: POPF writes what PUSHF then shows, IF and IOPL among it.
%include "steps.inc"
FLAGS equ 0x247ed5                              ; all but TF, VM, RF, VIF, VIP
%macro round 2
        mov     eax, %2
        and     eax, FLAGS
        push    eax
        popfd
        pushfd
        pop     eax
        push    dword 2                         ; strings upwards again, no AC
        popfd
        show    %1
%endmacro
        round   "popf-if", 0x200
        round   "popf-none", 0
        round   "popf-arithmetic", 0x8d5
        round   "popf-direction", 0x400
        round   "popf-iopl", 0x3200
        round   "popf-nt", 0x4000
        round   "popf-id", 0x200000
        round   "popf-seed", ebp
        rol     ebp, 9
        round   "popf-seed-again", ebp
        mov     eax, ebp
        mov     ecx, 0x11111111
        push    dword 0x246
        popfd
        sub     eax, ecx
        cli
        show    "popf-keeps-registers"
        end
