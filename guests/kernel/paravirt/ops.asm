; The kernel's sensitive operations as hypercalls, or as plain stores: see ops.h. All are C functions (cdecl).
%define OPS_ASM
%include "pc.inc"
%include "ops.inc"

extern armed                            ; ops.h

section .text
bits 32

%macro op 1
        global  %1
%1:
%endmacro

; int32_t pv_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c);         below 0: an error
op pv_call
        push    ebx
        mov     eax, [esp + 8]
        imul    eax, PV_ENTRY_BYTES
        add     eax, PV_PAGE
        mov     ebx, [esp + 12]
        mov     ecx, [esp + 16]
        mov     edx, [esp + 20]
        call    eax
        pop     ebx
        ret

op irq_disable
        op_cli
        ret

op irq_enable
        op_sti
        ret

; An event waits, and IF is 1: whatever hypercall comes next is interrupted. Changes EAX and the flags.
op irq_waits
        push    ebx
        mov     ebx, PV_SCHED_YIELD
        call    HYPERCALL_ENTRY(HC_SCHED)
        pop     ebx
        ret

op idle
        push    ebx
        mov     ebx, PV_SCHED_BLOCK
        call    HYPERCALL_ENTRY(HC_SCHED)
        op_cli
        pop     ebx
        ret

op read_cr2
        mov     eax, [PV_CR2]
        ret

; An interrupt on order (ops.h): the guest sends itself an event. Changes EAX, ECX.
%macro event 2                          ; what to do, to which
        push    ebx
        mov     ebx, %1
        mov     ecx, %2
        call    HYPERCALL_ENTRY(HC_EVENT)
        pop     ebx
%endmacro

op arm_irq
        call    open_irq
        mov     dword [armed], 1
        event   PV_EVENT_SEND, IRQ_COM1
        xor     eax, eax
        ret

op open_irq
        event   PV_EVENT_UNMASK, IRQ_COM1
        ret

op close_irq
        event   PV_EVENT_MASK, IRQ_COM1
        ret

op arm_both
        event   PV_EVENT_SEND, IRQ_TIMER
        event   PV_EVENT_UNMASK, IRQ_TIMER
        jmp     arm_irq

section .note.GNU-stack noalloc noexec nowrite progbits
