; Lab 1: what instructions do at ring 0. One line each: name, the exception that it raises (0: none), and what it shows or leaves
; behind: of the interrupt flag, which is off; of descriptor tables, selectors and CR0 as this kernel has them.
%include "steps.inc"
        mov     ecx, 20                         ; #UD, #GP and the others end here
.gate:  dec     ecx
        mov     eax, ecx
        imul    eax, eax, stub1 - stub0
        add     eax, stub0
        mov     [idt + ecx * 8], ax
        mov     word [idt + ecx * 8 + 2], 8
        mov     word [idt + ecx * 8 + 4], 0x8e00
        shr     eax, 16
        mov     [idt + ecx * 8 + 6], ax
        test    ecx, ecx
        jnz     .gate
        lgdt    [gdtr]
        jmp     8:.here
.here:  mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        lidt    [idtr]
        mov     ax, 0x18                        ; what SLDT and SMSW show is this kernel's own
        lldt    ax
        mov     eax, cr0
        or      eax, 8
        mov     cr0, eax

; try NAME, CODE: the code leaves what it saw in EAX.
%macro try 2+
        mov     dword [resume], %%done
        mov     dword [stack], esp
        mov     dword [vector], 0
        xor     eax, eax
        cli
        %2
%%done: mov     esp, [stack]
        mov     esi, eax
        say     %1
        say     " "
        mov     eax, [vector]
        call    number
        say     " "
        mov     eax, esi
        call    number
        mov     dx, 0x3f8
        mov     al, 10
        out     dx, al
%endmacro
%macro flags_shown 0
        pushfd
        pop     eax
        and     eax, 0x200
%endmacro
%macro stored 0
        mov     eax, [memory]
        and     eax, 0xffff
%endmacro
%macro do_cli 0
        cli
%endmacro
%macro do_sti 0
        sti
        cli
%endmacro
%macro do_popf 0
        push    dword 2
        popfd
        flags_shown
%endmacro
%macro do_sgdt 0
        sgdt    [memory]
        stored
%endmacro
%macro do_sidt 0
        sidt    [memory]
        stored
%endmacro
%macro do_lgdt 0
        lgdt    [gdtr]
%endmacro
%macro do_lidt 0
        lidt    [idtr]
%endmacro
%macro do_sldt 0
        sldt    ax
%endmacro
%macro do_str 0
        str     ax
%endmacro
%macro do_smsw 0
        smsw    eax
        and     eax, 0x8
%endmacro
%macro do_lar 0
        mov     ecx, 0x10
        lar     eax, ecx
        jz      %%there
        xor     eax, eax
%%there: and    eax, 0xff00
%endmacro
%macro do_verr 0
        mov     ecx, 0x10
        verr    cx
        setz    al
        movzx   eax, al
%endmacro
%macro do_mov_from_cs 0
        mov     eax, cs
%endmacro
%macro do_mov_from_cr0 0
        mov     eax, cr0
        xor     eax, eax
%endmacro
%macro do_mov_to_cr3 0
        mov     eax, cr3
        mov     cr3, eax
        xor     eax, eax
%endmacro
%macro do_in 0
        in      al, 0x80
        xor     eax, eax
%endmacro
%macro do_invlpg 0
        invlpg  [memory]
%endmacro
%macro do_clts 0
        clts
%endmacro
%macro do_add 0
        mov     eax, 40
        add     eax, 2
%endmacro
%macro do_cpuid 0
        xor     eax, eax
        cpuid
        xor     eax, eax
%endmacro
%macro do_rdtsc 0
        rdtsc
        xor     eax, eax
%endmacro
        try     "cli", do_cli
        try     "sti", do_sti
        try     "pushf", flags_shown
        try     "popf", do_popf
        try     "sgdt", do_sgdt
        try     "sidt", do_sidt
        try     "sldt", do_sldt
        try     "str", do_str
        try     "smsw", do_smsw
        try     "lar", do_lar
        try     "verr", do_verr
        try     "mov-from-cs", do_mov_from_cs
        try     "mov-from-cr0", do_mov_from_cr0
        try     "mov-to-cr3", do_mov_to_cr3
        try     "lgdt", do_lgdt
        try     "lidt", do_lidt
        try     "in", do_in
        try     "invlpg", do_invlpg
        try     "clts", do_clts
        try     "add", do_add
        try     "cpuid", do_cpuid
        try     "rdtsc", do_rdtsc
        mov     al, 0
        out     0xf4, al

; void number(uint32_t value /* EAX */);   eight hexadecimal digits to the serial port
; Keeps ESI, EDI, EBP; clobbers EAX, EBX, ECX, EDX and the flags.
number: mov     ebx, eax
        mov     dx, 0x3f8
  %rep 8
        rol     ebx, 4
        mov     ecx, ebx
        and     ecx, 15
        mov     al, [digits + ecx]
        out     dx, al
  %endrep
        ret

%macro stub 1
stub%1: mov     dword [vector], %1
        jmp     near [resume]
        nop
%endmacro
%assign n 0
%rep 20
        stub n
  %assign n n + 1
%endrep

section .data
gdt:    dq      0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x0000820000000007
gdtr:   dw      $ - gdt - 1
        dd      gdt
idtr:   dw      20 * 8 - 1
        dd      idt
idt:    times 40 dd 0
resume: dd      0
stack:  dd      0
vector: dd      0
memory: dd      0, 0
