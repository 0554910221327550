; From the boot loader to bare_main(): multiboot leaves the processor in flat 32-bit protected mode (EAX magic, EBX
; information); the monitor wants 64-bit mode, an identity map of the first 4 GiB, and an IDT. AMD APM vol. 2 14.6, Intel
; SDM vol. 3A 9.8.5.
;
;   physical   0x00100000   the monitor: this file first      host.c lays out what follows it: modules, heap, guest RAM
;
; Traps of the monitor's own come to trap() in host.c, and do not come back: they are bugs. One interrupt does: the 8254's.
%include "pc.inc"
%include "bare.inc"           ; from host.h: HOST_CS, HOST_DS, HOST_TR, HOST_IRQ_VECTOR

CR4_PAE         equ 1 << 5
CR0_PG          equ 1 << 31
EFER            equ 0xc0000080
EFER_LME        equ 1 << 8
PAGE_TABLE      equ 3               ; present, writable
PAGE_LARGE      equ 0x83
VECTORS         equ 64

extern bare_main, trap
global start, host_idt_load, host_let_in, host_wait

section .boot progbits alloc exec nowrite align=4096
bits 32
        align   4
        dd      MULTIBOOT_HEADER_MAGIC, 3, -(MULTIBOOT_HEADER_MAGIC + 3)        ; page-aligned modules, memory map

; The boot loader's way in, 32-bit: EBX points to its information. Calls _Noreturn void bare_main(uint32_t info); keeps nothing.
start:  cli
        cld
        mov     esp, stack_end
        mov     esi, ebx
        mov     edi, pml4                       ; .bss is zero
        mov     dword [edi], pdpt + PAGE_TABLE
        mov     eax, directory + PAGE_TABLE
        mov     edi, pdpt
        mov     ecx, 4
.gib:   mov     [edi], eax
        add     eax, 4096
        add     edi, 8
        loop    .gib
        mov     edi, directory
        mov     eax, PAGE_LARGE
        mov     ecx, 4 * 512
.large: mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        loop    .large
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     eax, pml4
        mov     cr3, eax
        mov     ecx, EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        lgdt    [gdtr]
        jmp     HOST_CS:.long
bits 64
.long:  mov     eax, HOST_DS
        mov     ss, eax
        mov     ds, eax
        mov     es, eax
        fninit
        mov     edi, esi
        call    bare_main
.end:   hlt
        jmp     .end

section .rodata
gdtr:   dw      gdt_end - gdt - 1
        dq      gdt
idtr:   dw      VECTORS * 16 - 1
        dq      idt

section .data
        align 8
gdt:    dq      0, 0x00af9b000000ffff, 0x00cf93000000ffff                       ; HOST_CS, HOST_DS
        dq      0x0000890000000067, 0           ; HOST_TR: a TSS, because VT-x wants one in TR; nobody looks into it
gdt_end:

section .text
; void host_idt_load(void);   fill in and load the IDT; load TR
; Keeps all but RAX, RCX, RDX, RDI and the flags.
host_idt_load:
        mov     ecx, VECTORS
        mov     rdi, idt
        mov     rax, stubs
.gate:  mov     [rdi], ax
        mov     word [rdi + 2], HOST_CS
        mov     word [rdi + 4], 0x8e00
        mov     rdx, rax
        shr     rdx, 16
        mov     [rdi + 6], dx
        add     rax, 16
        add     rdi, 16
        loop    .gate
        lidt    [idtr]
        mov     eax, HOST_TR
        ltr     ax
        ret

; void host_let_in(void);   let an interrupt in that is waiting
; Called with IF = 0; keeps all registers and flags, IF too.
host_let_in:
        sti
        nop
        cli
        ret

; void host_wait(void);   sleep until an interrupt has come
; Called with IF = 0; keeps all registers and flags, IF too.
host_wait:
        sti
        hlt
        cli
        ret

; What the IDT leads to, 16 bytes each. The interrupt and those that are dropped keep all; the others go to
; _Noreturn void trap(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2) in host.c.
; Frame at report:  SS, RSP, RFLAGS, CS, RIP, error code, vector <- RSP
        align   16
stubs:
%assign vector 0
%rep VECTORS
        align   16
%if vector == HOST_IRQ_VECTOR
        push    rax
        mov     al, 0x20                        ; end of interrupt
        out     PORT_PIC1_COMMAND, al
        pop     rax
        iretq
%elif vector > HOST_IRQ_VECTOR || vector == 2 || vector == 1
        iretq                                   ; a spurious one, or an NMI, which is nobody's here; or a step of the guest's
                                                ; that Bochs 2.7 takes in the monitor, if the stepped instruction left the guest
%else
%if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        push    0                               ; in place of an error code
%endif
        push    vector
        jmp     report
%endif
%assign vector vector + 1
%endrep

report: pop     rdi                             ; vector
        pop     rsi                             ; error code
        pop     rdx                             ; RIP
        mov     rcx, cr2
        and     rsp, -16
        call    trap

section .bss align=4096
pml4:           resb 4096
pdpt:           resb 4096
directory:      resb 4 * 4096
idt:            resb VECTORS * 16
                resb 32768
stack_end:

section .note.GNU-stack noalloc noexec nowrite progbits
