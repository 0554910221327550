; The native twin's way in, and Linux's system calls for it: a 32-bit program without a C library.
; int twin_main(const char *args) is called with the first argument, "" if there is none.
bits 32
section .text
global _start, linux_write
extern twin_main

SYS_EXIT  equ 1
SYS_WRITE equ 4

; _Noreturn void _start(void);   exits with what twin_main() returns; keeps nothing
; At entry, ESP ->  argc | argv[0] | argv[1] | ... | 0 | environment
_start:
    mov eax, empty
    cmp dword [esp], 2
    cmovge eax, [esp + 8]
    and esp, -16
    sub esp, 12
    push eax                        ; 16-byte aligned at the call, as the ABI has it
    call twin_main
    mov ebx, eax
    mov eax, SYS_EXIT
    int 0x80

; void linux_write(const char *text, uint32_t size);   to standard output
; Keeps EBX, ESI, EDI, EBP; clobbers EAX, ECX, EDX. At INT, ESP ->  EBX | return address | text | size
linux_write:
    push ebx
    mov eax, SYS_WRITE
    mov ebx, 1
    mov ecx, [esp + 8]
    mov edx, [esp + 12]
    int 0x80
    pop ebx
    ret

section .rodata
empty: db 0

section .note.GNU-stack noalloc noexec nowrite progbits
