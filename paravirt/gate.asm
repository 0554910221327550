; The way across: from the guest's 32-bit code into the VMM and back. gate.h has the C side.
;
;   hypercall page (32 bit) --far jump 0x33--> GATES, four stubs below 4 GiB --> here --far jump--> the guest again
;
; Three crossings end here, without a word of C but the hypercall's own: a hypercall that `gate_fast` knows, IRET to ring 3,
; and a system call by PV_USER_CALL. What is not plain goes on to direct_gate (world.asm), out of direct_enter(), and C sees
; to it: every register of the guest is still in place then. R8 to R15 are free, the stack is the guest's until it is not.
;
;   r15d  which gate        r12d  the guest's ESP        r11d  its EFLAGS, if r14d says that they must be loaded

%include "offsets.inc"
%include "pv.inc"
%include "stamp.inc"

default rel

extern direct_world, direct_gate
extern gate_shared, gate_fast, gate_calls, gate_exposed
extern gate_kernel_cs, gate_kernel_ss, gate_kernel_esp, gate_kernel_ready
extern gate_names, hypercall_names
extern gate_user_cs, gate_user_ss, gate_user_last, gate_user_selectors, gate_user_ready
extern gate_page_ready, gate_rewritten, gate_seen_rewritten
global gate_hypercall, gate_iret, gate_slow, gate_user_call
global gate_stubs, gate_page, gate_page_trap, gate_restart, gate_restart_end

HOST_CS equ 0x33
GATES equ 0xfc000000
GATE_BYTES equ 32
GATE_HYPERCALL equ 0            ; as in gate.h
GATE_IRET equ 1
GATE_IRET_SLOW equ 2
GATE_USER_CALL equ 3
GATE_INTERRUPTED equ 4

; struct pv_shared; gate.c asserts them
RET_EIP equ PV_SHARED + 44
RET_CS equ PV_SHARED + 48
RET_EFLAGS equ PV_SHARED + 52
RET_ESP equ PV_SHARED + 56
RET_SS equ PV_SHARED + 60
USER_ESP equ PV_SHARED + 64
USER_EFLAGS equ PV_SHARED + 68
USER_CS equ PV_SHARED + 72
USER_SS equ PV_SHARED + 76
USER_CALL equ PV_SHARED + 80
SAVED_EAX equ PV_SHARED + 84


FLAG_IF equ 0x200
FLAGS_PLAIN equ 0x10cd7         ; CF, bit 1, PF, AF, ZF, SF, DF, OF, and RF, which POPFQ ignores: nothing but these and IF
FLAGS_BEYOND equ 0x244500       ; TF, DF, NT, AC, ID

section .note.GNU-stack noalloc noexec nowrite progbits
section .text
bits 64

; An LDT slot has got another segment since the selectors were noted.
%macro slow_if_rewritten 0
        mov     r8, [gate_rewritten]
        mov     r8d, [r8]
        cmp     r8d, [gate_seen_rewritten]
        jne     slow
%endmacro

; Neither null nor ring 3's own flat data segment, which ends below the kernel.
%macro slow_if_others 1
        mov     r8d, %1
        cmp     r8w, [gate_user_ss]
        je      %%good
        test    r8d, ~3
        jnz     slow
%%good:
%endmacro

; The stubs: copied to GATES.
align 16
gate_stubs:
%assign gate 0
%rep 4
        mov     r15d, gate
        mov     r12d, esp
        jmp     [rel gate_stubs + 4 * GATE_BYTES + 8 * gate]     ; gate.c puts the targets there
        times   GATE_BYTES * (gate + 1) - ($ - gate_stubs) db 0xcc
    %assign gate gate + 1
%endrep

; A hypercall. EAX = number, EBX ECX EDX ESI EDI = arguments; keeps all but EAX and the flags. The function behind gate_fast
; uses integer registers alone and nothing of the C library (fast.c).
align 32
gate_hypercall:
        cmp     byte [direct_world + WORLD_CPL], 0
        jne     slow
        mov     eax, eax
        cmp     eax, HYPERCALLS
        jae     slow
        lea     r8, [gate_fast]
        mov     r13, [r8 + rax * 8]
        test    r13, r13
        jz      slow
        cmp     byte [gate_page_ready], 0       ; else the way back would fault: a CS that ends below the page
        je      slow
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        pushfq
        test    dword [rsp], FLAGS_BEYOND
        jnz     slow
        lea     r8, [gate_calls]
        inc     qword [r8 + rax * 8]
        stamp   TIMELINE_GATE, r8, r9, r10, hypercall_names, r9 * 8
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        mov     edi, ebx
        mov     esi, ecx
        call    r13                             ; int32_t f(uint32_t ebx, uint32_t ecx)
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        mov     r10, [gate_shared]
        movzx   r8d, word [direct_world + WORLD_ENTERED]
        mov     r9d, PV_PAGE_RETURN
        xor     r14d, r14d
        test    byte [r10 + PV_IF_BYTE - PV_SHARED], 2
        jz      enter_guest
        cmp     byte [r10 + PV_PENDING - PV_SHARED], 0
        je      enter_guest
        jmp     interrupted                            ; an event that the guest has sent itself, perhaps

; IRET to ring 3, its frame already popped into the shared-info page. Plain flags, the segments that ring 3 had last,
; nothing waiting: else C does it.
align 32
gate_iret:
        mov     r10, [gate_shared]
        cmp     byte [direct_world + WORLD_CPL], 0
        jne     slow
        cmp     byte [gate_user_ready], 0
        je      slow
        slow_if_rewritten
        mov     r8, [gate_exposed]              ; supervisor pages in ring 3's reach must go first
        cmp     dword [r8], 0
        jne     slow
        movzx   r8d, word [r10 + RET_CS - PV_SHARED]
        movzx   r9d, word [r10 + RET_SS - PV_SHARED]
        shl     r9d, 16
        or      r8d, r9d
        cmp     r8d, [gate_user_selectors]
        jne     slow
        slow_if_others ds                       ; what the kernel leaves in them may reach the kernel
        slow_if_others es
        slow_if_others fs
        slow_if_others gs
        mov     r11d, [r10 + RET_EFLAGS - PV_SHARED]
        mov     r8d, r11d
        and     r8d, ~FLAGS_PLAIN
        cmp     r8d, FLAG_IF
        jne     slow
        cmp     byte [r10 + PV_PENDING - PV_SHARED], 0
        jne     slow
        mov     r9d, [r10 + RET_EIP - PV_SHARED]
        cmp     r9d, [gate_user_last]           ; beyond it the far jump itself would fault
        ja      slow
        inc     qword [gate_calls + 8 * HC_IRET]
        stamp   TIMELINE_GATE, r13, r14, r15, gate_names, 8 * GATE_IRET
        mov     byte [r10 + PV_IF_BYTE - PV_SHARED], 2
        mov     byte [direct_world + WORLD_CPL], 3
        mov     r12d, [r10 + RET_ESP - PV_SHARED]
        movzx   r8d, word [gate_user_cs]
        mov     ss, [gate_user_ss]
        mov     r14d, 1
        jmp     enter_guest

; A system call: EDX = where it returns to. The frame is pushed by the guest kernel's own code on the hypercall page,
; so that a stack which is not mapped faults there.
align 32
gate_user_call:
        mov     r10, [gate_shared]
        cmp     byte [direct_world + WORLD_CPL], 3
        jne     slow
        cmp     byte [gate_kernel_ready], 0
        je      slow
        slow_if_rewritten
        test    byte [r10 + PV_IF_BYTE - PV_SHARED], 2     ; ring 3 without interrupts: its frame is not plain
        jz      slow
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        pushfq
        pop     r11
        test    r11d, FLAGS_BEYOND
        jnz     slow
        inc     qword [gate_calls + 8 * HYPERCALLS]
        stamp   TIMELINE_GATE, r13, r14, r15, gate_names, 8 * GATE_USER_CALL
        mov     [r10 + USER_ESP - PV_SHARED], r12d
        mov     [r10 + USER_EFLAGS - PV_SHARED], r11d
        mov     byte [r10 + PV_IF_BYTE - PV_SHARED], 0
        mov     byte [direct_world + WORLD_CPL], 0
        mov     r9d, PV_PAGE_ENTER
        mov     r12d, [gate_kernel_esp]
        movzx   r8d, word [gate_kernel_cs]
        mov     ss, [gate_kernel_ss]
        xor     r14d, r14d

; Into the guest: R8D = the processor's CS, R9D = EIP. A timer's signal between the two labels begins anew at the first, and
; finds the kick: else its tick would wait for the guest's next exit (signal_entry in world.asm).
enter_guest:
        mov     [direct_world + WORLD_ENTERED], r8w
        stamp   TIMELINE_ENTER, r10, r13, r15
gate_restart:
        cmp     byte [direct_world + WORLD_KICK], 0
        jne     interrupted
        mov     [direct_world + WORLD_TARGET], r9d
        mov     [direct_world + WORLD_TARGET + 4], r8w
        test    r14d, r14d
        jz      .go
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        push    r11
        popfq
.go:    xor     r10d, r10d                      ; these point into the VMM, which a guest in 64-bit mode could see
        xor     r13d, r13d
        mov     esp, r12d
        jmp     far dword [direct_world + WORLD_TARGET]
gate_restart_end:

; The timer came, or an event that the guest has sent itself: to C, with the guest where it would have gone.
interrupted:
        mov     r10, [direct_world + WORLD_VCPU]
        mov     [r10 + VCPU_EIP], r9d
        mov     r15d, GATE_INTERRUPTED
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        test    r14d, r14d
        jz      slow
        push    r11
        popfq
gate_slow:
slow:   mov     [direct_world + WORLD_GATE], r15d
        mov     esp, r12d
        jmp     direct_gate

; ---- the hypercall page: 32-bit code at PV_PAGE, once with far jumps, once with INT ---------------------------------------
section .rodata
bits 32

%macro cross 1                          ; one of the gates
        jmp     HOST_CS:GATES + GATE_BYTES * (%1)
%endmacro

%macro page 2                           ; name; 1: far jumps, 0: INT
align 4096
%1:
    %assign n 0
    %rep HYPERCALLS
        %if n == HC_IRET
        jmp     near %1.iret
        %else
        mov     eax, n
            %if %2
        cross   GATE_HYPERCALL
            %else
        int     PV_TRAP_VECTOR
        ret
            %endif
        %endif
        times   PV_ENTRY_BYTES * (n + 1) - ($ - %1) db 0xcc
        %assign n n + 1
    %endrep

        times   PV_USER_CALL - PV_PAGE - ($ - %1) db 0xcc
        pop     edx                     ; PV_USER_CALL
    %if %2
        cross   GATE_USER_CALL
    %else
        int     0                       ; gate.c writes the vector
        jmp     edx
    %endif

        times   PV_PAGE_RETURN - PV_PAGE - ($ - %1) db 0xcc
        ret

        times   PV_PAGE_ENTER - PV_PAGE - ($ - %1) db 0xcc         ; in the kernel, on its stack, with ring 3's DS and ES
        push    dword [ss:USER_SS]
        push    dword [ss:USER_ESP]
        push    dword [ss:USER_EFLAGS]
        push    dword [ss:USER_CS]
        push    edx
        jmp     dword [ss:USER_CALL]

        times   PV_PAGE_IRET - PV_PAGE - ($ - %1) db 0xcc
; To the kernel itself it needs no crossing: flags, IF, and away. Whoever is interrupted behind the store to IF is
; interrupted with the rest of this frame still on the stack.
.iret:  test    byte [esp + 4], 3               ; cs
        jnz     .user
        test    byte [esp + 9], 1               ; TF
        jnz     .slow
        test    byte [esp + 9], 2               ; IF
        jz      .masked
        mov     byte [ss:PV_IF_BYTE], 2
        cmp     byte [ss:PV_PENDING], 0
        jne     .slow
        jmp     .plain
.masked:
        mov     byte [ss:PV_IF_BYTE], 0
.plain: push    dword [esp + 8]
        popfd
        ret     8
.user:  mov     byte [ss:PV_IF_BYTE], 0            ; an event now would find half a frame; IRET sets IF anyhow
    %if %2
        pop     dword [ss:RET_EIP]
        pop     dword [ss:RET_CS]
        pop     dword [ss:RET_EFLAGS]
        pop     dword [ss:RET_ESP]
        pop     dword [ss:RET_SS]
        cross   GATE_IRET
.slow:  cross   GATE_IRET_SLOW
    %else
.slow:  mov     byte [ss:PV_IF_BYTE], 0         ; an event would bring an IRET of its own, and lose EAX
        mov     [ss:SAVED_EAX], eax
        mov     eax, HC_IRET
        int     PV_TRAP_VECTOR
    %endif
        times   4096 - ($ - %1) db 0xcc
%endmacro

page gate_page, 1
page gate_page_trap, 0
