; The kernel's sensitive operations: see ops.h and ports.h. All are C functions (cdecl): EAX, ECX and EDX are clobbered.

section .text
bits 32

%macro op 1
        global  %1
%1:
%endmacro

op irq_disable
        cli
        ret

op irq_enable
        sti
        ret

op idle
        sti
        hlt
        cli
        ret

op halt
        hlt
        ret

op outb
        mov     edx, [esp + 4]
        mov     eax, [esp + 8]
        out     dx, al
        ret

op inb
        mov     edx, [esp + 4]
        in      al, dx
        movzx   eax, al
        ret

op outb_block
        push    esi
        mov     edx, [esp + 8]
        mov     esi, [esp + 12]
        mov     ecx, [esp + 16]
        rep outsb
        pop     esi
        ret

op load_cr3
        mov     eax, [esp + 4]
        mov     cr3, eax
        ret

op read_cr3
        mov     eax, cr3
        ret

op read_cr2
        mov     eax, cr2
        ret

op read_cr0
        mov     eax, cr0
        ret

op load_gdt
        mov     eax, [esp + 4]
        lgdt    [eax]
        jmp     0x08:.cs
.cs:    mov     eax, 0x10
        mov     ss, eax
        mov     ds, eax
        mov     es, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        ret

op load_idt
        mov     eax, [esp + 4]
        lidt    [eax]
        ret

op flush_page
        mov     eax, [esp + 4]
        invlpg  [eax]
        ret

op load_tr
        ltr     [esp + 4]
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
