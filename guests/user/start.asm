; Where every process begins: user-linear 0x400000. Then the system calls: number in EAX, arguments in EBX, ECX.

%include "ops.inc"

extern init
global syscall2

section .text.start
bits 32
global user_start
user_start:
        call    init                            ; void init(void); ends by the exit system call
        ud2
%ifdef HAVE_HYPERCALL
        align   32
global user_call
user_call:                                      ; the kernel puts a better one here: 32 bytes
        int     0x40
        ret
        times   32 - ($ - user_call) db 0xcc
%endif

section .text
; int32_t syscall2(uint32_t number, uint32_t a, uint32_t b);
syscall2:
        push    ebx
        mov     eax, [esp + 8]
        mov     ebx, [esp + 12]
        mov     ecx, [esp + 16]
        system_call
        pop     ebx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
