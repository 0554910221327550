; From the boot loader to native_main() in boot.c. Multiboot leaves the processor in flat 32-bit protected mode, paging off, EAX =
; magic, EBX = information. Here: the final page tables, paging on, a jump to the high half.
;
;   physical                          linear
;   0x00000000 .. end of RAM          0xc0000000 ..    kernel, supervisor, global   (kernel_tables)
;   0x00100000, this page alone       0x00100000       for the one jump             (boot_identity)

%include "pc.inc"

KERNEL_BASE     equ 0xc0000000
PTE_KERNEL      equ 0x163       ; present, writable, accessed, dirty, global: the processor need not set anything
PTE_PLAIN       equ 0x003
PTE_TABLE       equ 0x023       ; present, writable, accessed
RAM_MAX_PAGES   equ 32768       ; 128 MiB
CR0_PG_WP       equ 0x80010000
CR4_PGE         equ 0x80

extern native_main
global boot_pgdir

section .boot progbits alloc exec nowrite align=4096
bits 32
        align   4
        dd      MULTIBOOT_HEADER_MAGIC, 3, -(MULTIBOOT_HEADER_MAGIC + 3)        ; page-aligned modules, memory map

global start
start:  cli
        cld
        mov     ebp, eax
        mov     edx, [ebx + 8]                  ; mem_upper of the information: KiB above 1 MiB
        shr     edx, 2
        add     edx, 256                        ; pages of RAM
        cmp     edx, RAM_MAX_PAGES
        jbe     .map
        mov     edx, RAM_MAX_PAGES
.map:   mov     edi, kernel_tables - KERNEL_BASE
        mov     eax, PTE_KERNEL
        mov     ecx, edx
.page:  stosd
        add     eax, 4096
        loop    .page
        lea     ecx, [edx + 1023]
        shr     ecx, 10                         ; tables that hold them
        mov     edi, boot_pgdir - KERNEL_BASE + (KERNEL_BASE >> 22) * 4
        mov     eax, kernel_tables - KERNEL_BASE + PTE_TABLE
.table: stosd
        add     eax, 4096
        loop    .table
        mov     dword [boot_identity - KERNEL_BASE + (0x100000 >> 12) * 4], 0x100000 | PTE_PLAIN
        mov     dword [boot_pgdir - KERNEL_BASE], boot_identity - KERNEL_BASE + PTE_PLAIN
        mov     eax, boot_pgdir - KERNEL_BASE
        mov     cr3, eax
        mov     eax, CR4_PGE
        mov     cr4, eax
        mov     eax, cr0
        or      eax, CR0_PG_WP
        mov     cr0, eax
        mov     eax, high
        jmp     eax

section .text
bits 32
high:   mov     dword [boot_pgdir], 0         ; no identity any more
        mov     eax, boot_pgdir - KERNEL_BASE
        mov     cr3, eax
        mov     esp, boot_stack_top
        push    ebx
        push    ebp
        call    native_main                     ; void native_main(uint32_t magic, uint32_t info_pa); never returns

section .bss nobits alloc noexec write align=4096
boot_pgdir:   resd 1024
boot_identity:  resd 1024
kernel_tables:  resd RAM_MAX_PAGES
boot_stack:     resb 16384
boot_stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
