; Every vector's entry, the way to trap() in trap.c, and back. What stands on the stack when trap() is called is
; struct trapframe:
;
;      ss   esp                         only from ring 3
;      eflags   cs   eip                pushed by the processor
;      error    vector                  error: by the processor for some vectors, else 0 by the stub
;      eax ecx edx ebx esp ebp esi edi  pusha
;      ds   es   fs   gs          <- esp

%include "ops.inc"

extern trap
global trap_stubs, trap_return, switch_stacks

section .text
bits 32

trap_stubs:                     ; 256 of them, 16 bytes each
%assign vector 0
%rep 256
        align   16
    %if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
        push    0
    %endif
        push    vector
        jmp     near enter
    %assign vector vector + 1
%endrep

enter:  pusha
        push    ds
        push    es
        push    fs
        push    gs
        cld
        test    byte [esp + 60], 3              ; cs: segments change only with the privilege
        jz      .kernel
        load_kernel_data
.kernel:
        push    esp
        call    trap                            ; void trap(struct trapframe *)
        add     esp, 4
trap_return:
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popa
        add     esp, 8
        iret_to

; void switch_stacks(uint32_t *save_esp, uint32_t esp);  keeps what C expects to be kept
switch_stacks:
        mov     eax, [esp + 4]
        mov     edx, [esp + 8]
        push    ebx
        push    ebp
        push    esi
        push    edi
        mov     [eax], esp
        mov     esp, edx
        pop     edi
        pop     esi
        pop     ebp
        pop     ebx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
