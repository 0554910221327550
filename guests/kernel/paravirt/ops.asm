; The kernel's sensitive operations as hypercalls, or as plain stores: see ops.h. All are C functions (cdecl).
%include "pc.inc"
%include "ops.inc"

extern armed                            ; a probe's: arm_irq has been here

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
        mov     byte [PV_MASK], 1
        ret

op irq_enable
        mov     byte [PV_MASK], 0
        cmp     byte [PV_PENDING], 0
        jne     irq_waits
        ret

; An event waits, and the mask is open: whatever hypercall comes next is interrupted.
irq_waits:
        push    ebx
        mov     ebx, PV_SCHED_YIELD
        call    HYPERCALL_ENTRY(HC_SCHED)
        pop     ebx
        ret

op idle
        push    ebx
        mov     ebx, PV_SCHED_BLOCK
        call    HYPERCALL_ENTRY(HC_SCHED)
        mov     byte [PV_MASK], 1
        pop     ebx
        ret

op read_cr2
        mov     eax, [PV_CR2]
        ret

; An interrupt on order (ops.h): the guest sends itself an event. Changes EAX, ECX.
op arm_irq
        push    ebx
        mov     ebx, PV_EVENT_UNMASK
        mov     ecx, IRQ_COM1
        call    HYPERCALL_ENTRY(HC_EVENT)
        pop     ebx
op arm_masked                           ; the same, with the line masked
        mov     dword [armed], 1
        push    ebx
        mov     ebx, PV_EVENT_SEND
        mov     ecx, IRQ_COM1
        call    HYPERCALL_ENTRY(HC_EVENT)
        pop     ebx
        xor     eax, eax
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
