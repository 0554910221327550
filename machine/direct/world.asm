; The world switch. See world.h for the C side.
;
;   direct_enter():  host registers pushed -> guest segments loaded -> far jump -> guest code at ring 3
;   signal_entry:    Linux's frame on the alternate stack -> guest registers to the vcpu -> direct_enter() returns
;   direct_gate:     a far jump of code of ours        -> guest registers to the vcpu -> direct_enter() returns
;
; There is no sigreturn: the guest's next instruction is another direct_enter()'s business. Going back by
; a far jump costs 0.4 us less. The kernel has reset FPU and SSE for the handler; the guest's lies in the frame.

%include "offsets.inc"
%include "stamp.inc"

default rel
bits 64

extern direct_world
extern world_bug
extern __executable_start, etext
global direct_enter
global direct_gate
global signal_entry

SIGALRM equ 14
SIGSYS equ 31
SIGINFO_CODE equ 8
WALL_HIT equ 1                  ; si_code; the other is user dispatch's, for a system call of the guest's
HOST_CS equ 0x33
ARCH_SET_FS equ 0x1002
SYS_ARCH_PRCTL equ 158
FLAG_TF equ 0x100
FLAGS_BEYOND_SAHF equ 0x244400  ; DF, NT, AC, ID
FPU_QWORDS equ 288 / 8          ; FXSAVE as far as 32-bit code can see: x87 and XMM0-7

section .note.GNU-stack noalloc noexec nowrite progbits
section .rodata
host_mxcsr: dd 0x1f80          ; the C ABI's

section .text

; The host's FS base. Keeps rdi, rsi, rdx; clobbers rax, rcx, r8-r11.
%macro restore_thread_pointer 0
        xor     ecx, ecx
        mov     fs, cx
        mov     rax, [direct_world + WORLD_FS_BASE]
        cmp     byte [direct_world + WORLD_FSGSBASE], 0
        je      %%call
        wrfsbase rax
        jmp     %%done
%%call: mov     r8, rdi
        mov     r9, rsi
        mov     r10, rdx
        mov     edi, ARCH_SET_FS
        mov     rsi, rax
        mov     eax, SYS_ARCH_PRCTL
        syscall
        mov     rdi, r8
        mov     rsi, r9
        mov     rdx, r10
%%done:
%endmacro

; After modify_ldt() Linux reloads DS and ES, if their descriptors may have changed; not GS.
%macro load_if_other 2
        mov     eax, %1
        cmp     ax, [direct_world + %2]
        je      %%same
        mov     %1, [direct_world + %2]
%%same:
%endmacro

%macro hide_registers 0                         ; no pointer of ours for a guest that finds 64-bit mode
    %assign n 8
    %rep 8
        xor     r%[n]d, r%[n]d
    %assign n n + 1
    %endrep
%endmacro

%macro load_registers 0                         ; all but ESP and EDI
        mov     eax, [rdi + VCPU_EAX]
        mov     ecx, [rdi + VCPU_ECX]
        mov     edx, [rdi + VCPU_EDX]
        mov     ebx, [rdi + VCPU_EBX]
        mov     ebp, [rdi + VCPU_EBP]
        mov     esi, [rdi + VCPU_ESI]
%endmacro

; bool direct_enter(struct vcpu *cpu);
; Frame:  return address, rbx, rbp, r12, r13, r14, r15 <- host_rsp
direct_enter:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [direct_world + WORLD_HOST_RSP], rsp
        mov     [direct_world + WORLD_VCPU], rdi

; Between these two labels the timer's signal does not return here: it leaves direct_enter() as the test does,
; else a tick that comes after the test would wait for the guest's next trap.
enter_begin:
        cmp     byte [direct_world + WORLD_KICK], 0
        jne     enter_end
        mov     byte [direct_world + WORLD_DISPATCH], 1
        cmp     byte [direct_world + WORLD_FPU], 0
        je      .segments
        fxrstor [rdi + VCPU_FPU]
.segments:                                      ; reading a selector costs less than loading it again
        load_if_other es, WORLD_ES
        load_if_other ds, WORLD_DS
        cmp     byte [direct_world + WORLD_TRANSLATED], 0
        je      .untranslated
        load_if_other gs, WORLD_GS              ; the monitor's own descriptor, which never changes
        jmp     .loaded
.untranslated:
        mov     fs, [direct_world + WORLD_FS]
        mov     gs, [direct_world + WORLD_GS]
.loaded:
        hide_registers
        test    dword [direct_world + WORLD_EFLAGS], FLAG_TF
        jnz     step

; A far jump: 150 cycles less than IRETQ, which moreover leaves our upper half in the ESP of a guest with a 16-bit stack.
; SAHF costs 20 less than POPFQ; OF comes by an addition, the other flags are as Linux has them.
.jump:  load_if_other ss, WORLD_SS              ; Linux's after a system call
        stamp   TIMELINE_ENTER, rsi, rbx, rbp           ; not R8 to R15: the guest could find them
        movzx   eax, word [direct_world + WORLD_CS]
        shl     rax, 32
        mov     ecx, [rdi + VCPU_EIP]
        or      rax, rcx
        mov     [direct_world + WORLD_TARGET], rax
        mov     eax, [direct_world + WORLD_EFLAGS]
        test    eax, FLAGS_BEYOND_SAHF
        jnz     .popf
        mov     ecx, eax
        shr     ecx, 11
        and     ecx, 1
        add     cl, 0x7f
        mov     ah, al
        sahf
        jmp     .go
.popf:  push    rax
        popfq
.go:    load_registers
        mov     esp, [rdi + VCPU_ESP]
        mov     edi, [rdi + VCPU_EDI]
        jmp     far dword [direct_world + WORLD_TARGET]

; Back from the service: what was loaded is loaded still.
again:  cmp     byte [direct_world + WORLD_KICK], 0
        jne     enter_end
        mov     byte [direct_world + WORLD_DISPATCH], 1
        mov     rdi, [direct_world + WORLD_VCPU]
        hide_registers
        jmp     enter_begin.jump

; IRETQ sets the trap flag for the guest's first instruction: POPFQ would for one of ours.
step:   stamp   TIMELINE_ENTER, rsi, rbx, rbp
        movzx   eax, word [direct_world + WORLD_SS]
        push    rax                             ; ss
        mov     eax, [rdi + VCPU_ESP]
        push    rax
        mov     eax, [direct_world + WORLD_EFLAGS]
        push    rax
        movzx   eax, word [direct_world + WORLD_CS]
        push    rax                             ; cs
        mov     eax, [rdi + VCPU_EIP]
        push    rax
        load_registers
        mov     edi, [rdi + VCPU_EDI]
        iretq
enter_end:
        mov     eax, 1
        jmp     leave

; Here the guest's general registers are still in place; R8 to R15 are free, the stack is not ours. FS is the host's if what
; ran was translated.
; The timer's signal may come at any point: it finds 64-bit code above 4 GiB and sets the kick.
direct_gate:
        mov     r8, [direct_world + WORLD_VCPU]
        mov     [r8 + VCPU_EAX], eax
        mov     [r8 + VCPU_ECX], ecx
        mov     [r8 + VCPU_EDX], edx
        mov     [r8 + VCPU_EBX], ebx
        mov     [r8 + VCPU_ESP], esp
        mov     [r8 + VCPU_EBP], ebp
        mov     [r8 + VCPU_ESI], esi
        mov     [r8 + VCPU_EDI], edi
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        pushfq
        pop     rax
        mov     [direct_world + WORLD_EFLAGS], eax
        stamp   TIMELINE_GATE, r9, r10, r11
        test    eax, FLAGS_BEYOND_SAHF
        jz      .flags
        push    2                               ; C wants DF clear; on AC and NT we would fault
        popfq
.flags: mov     byte [direct_world + WORLD_DISPATCH], 0
        cmp     byte [direct_world + WORLD_TRANSLATED], 0
        jne     .fpu
        mov     [direct_world + WORLD_ES], es   ; the guest may have loaded them
        mov     [direct_world + WORLD_DS], ds
        mov     [direct_world + WORLD_FS], fs
        mov     [direct_world + WORLD_GS], gs
        mov     [direct_world + WORLD_SS], ss
        mov     ax, [direct_world + WORLD_ENTERED]
        mov     [direct_world + WORLD_CS], ax
        restore_thread_pointer
        mov     r8, [direct_world + WORLD_VCPU]
.fpu:
        cmp     byte [direct_world + WORLD_FPU], 0
        je      .service
        fxsave  [r8 + VCPU_FPU]
        fninit                                  ; C must not meet the guest's masks and rounding
        ldmxcsr [host_mxcsr]
        jmp     .out
.service:
        mov     rax, [direct_world + WORLD_SERVICE]
        test    rax, rax
        jz      .out
        sub     rsp, 8                          ; aligned
        call    rax
        add     rsp, 8
        test    al, al
        jnz     again
.out:   mov     dword [direct_world + WORLD_SIGNAL], 0
        xor     eax, eax
        jmp     leave

; void signal_entry(int signal, siginfo_t *, ucontext_t *);
signal_entry:
        cmp     edi, SIGSYS
        jne     .whose
        cmp     dword [rsi + SIGINFO_CODE], WALL_HIT
        je      bug
.whose: cmp     word [rdx + UC_CS], HOST_CS
        jne     from_guest
        mov     rax, [rdx + UC_RIP]
        mov     rcx, rax
        shr     rcx, 32                         ; 64-bit code below 4 GiB: the guest found Linux's selector
        jz      from_guest
        cmp     byte [direct_world + WORLD_DISPATCH], 0         ; and where nothing is ours while the guest runs, it is the guest
        je      .ours                                           ; as well
        lea     rcx, [__executable_start]
        cmp     rax, rcx
        jb      from_guest
        lea     rcx, [etext]
        cmp     rax, rcx
        jae     from_guest
.ours:  mov     byte [direct_world + WORLD_DISPATCH], 0
        cmp     edi, SIGALRM
        jne     bug
        lea     rcx, [enter_begin]
        cmp     rax, rcx
        jb      in_vmm
        lea     rcx, [enter_end]
        cmp     rax, rcx
        jae     in_vmm
        restore_thread_pointer
        mov     rsp, [direct_world + WORLD_HOST_RSP]
        push    2                               ; perhaps it came behind POPFQ: AC and NT must not trouble the VMM
        popfq
        mov     eax, 1
        jmp     leave

in_vmm: mov     byte [direct_world + WORLD_KICK], 1
        mov     rcx, [direct_world + WORLD_RESTART]
        cmp     rax, rcx
        jb      .back
        cmp     rax, [direct_world + WORLD_RESTART_END]
        jae     .back
        mov     [rdx + UC_RIP], rcx
.back:  ret                                     ; to libc's restorer: sigreturn

bug:    mov     byte [direct_world + WORLD_DISPATCH], 0
        restore_thread_pointer
        push    2                               ; AC and NT, if it was the guest
        popfq
        and     rsp, -16
        call    world_bug                       ; does not return

from_guest:
        stamp   TIMELINE_SIGNAL, rcx, r9, r10
        mov     [direct_world + WORLD_ES], es
        mov     [direct_world + WORLD_DS], ds
        mov     [direct_world + WORLD_FS], fs
        mov     [direct_world + WORLD_GS], gs
        mov     ax, [rdx + UC_CS]
        mov     [direct_world + WORLD_CS], ax
        mov     ax, [rdx + UC_CS + 6]
        mov     [direct_world + WORLD_SS], ax
        mov     byte [direct_world + WORLD_DISPATCH], 0
        restore_thread_pointer
        push    2                               ; the guest's AC and NT must not trouble the VMM
        popfq
        mov     [direct_world + WORLD_SIGNAL], edi
        mov     rax, [direct_world + WORLD_VCPU]
%macro from_context 2
        mov     ecx, [rdx + UC_%1]
        mov     [rax + VCPU_%2], ecx
%endmacro
        from_context RAX, EAX
        from_context RCX, ECX
        from_context RDX, EDX
        from_context RBX, EBX
        from_context RSP, ESP
        from_context RBP, EBP
        from_context RSI, ESI
        from_context RDI, EDI
        from_context RIP, EIP
        mov     rcx, [rdx + UC_CR2]
        mov     [direct_world + WORLD_CR2], rcx
        mov     ecx, [rdx + UC_EFL]
        mov     [direct_world + WORLD_EFLAGS], ecx
        mov     ecx, [rdx + UC_TRAPNO]
        mov     [direct_world + WORLD_TRAP], ecx
        mov     ecx, [rdx + UC_ERR]
        mov     [direct_world + WORLD_ERROR], ecx
        cmp     byte [direct_world + WORLD_FPU], 0
        je      .left
        mov     rsi, [rdx + UC_FPSTATE]
        lea     rdi, [rax + VCPU_FPU]
        mov     ecx, FPU_QWORDS
        rep movsq
.left:  mov     rsp, [direct_world + WORLD_HOST_RSP]
        xor     eax, eax
leave:  pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret
