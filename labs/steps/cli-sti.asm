; Lab 4, step 2: CLI and STI, as PUSHF shows them.
%include "steps.inc"
        sti
        nop
        look    "sti"
        cli
        look    "cli"
        cmp     ebp, 0
        sti
        nop
        look    "sti-keeps-flags"
        cli
        cli
        sub     ebp, 5
        cli
        look    "cli-keeps-flags"
        mov     ecx, ebp
        sti
        cli
        mov     eax, ecx
        show    "sti-keeps-ecx"
        end
