; The ways in and out of run=timeline (timeline.c): those of entry.asm, with the time-stamp counter noted right at the entry and
; right before the return. By SS, for DS may be the user's still.
%include "ops.inc"

extern trap
global timeline_syscall, timeline_page_fault, timeline_timer
global timeline_entered, timeline_left          ; uint64_t

section .bss nobits alloc noexec write align=8
timeline_entered: resq 1
timeline_left: resq 1

section .text
bits 32

%macro note 1
        push    eax
        push    edx
        rdtsc
        mov     [ss:%1], eax
        mov     [ss:%1 + 4], edx
        pop     edx
        pop     eax
%endmacro

%macro way 3                    ; name, vector, 1: the processor pushes an error code
%1:     note    timeline_entered
    %if %3 == 0
        push    0
    %endif
        push    %2
        jmp     enter
%endmacro

way timeline_syscall, 0x40, 0
way timeline_page_fault, 14, 1
way timeline_timer, 0x20, 0

enter:  pusha
        push    ds
        push    es
        push    fs
        push    gs
        cld
        test    byte [esp + 60], 3              ; cs
        jz      .kernel
        load_kernel_data
.kernel:
        push    esp
        call    trap                            ; void trap(struct trapframe *)
        add     esp, 4
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popa
        add     esp, 8
        note    timeline_left
        iret_to

section .note.GNU-stack noalloc noexec nowrite progbits
