; The way across, and what may not go that way: probes of kernel-pv.elf alone. Each asks the VMM by the hypercall page, or
; jumps to its gates as no honest guest would (paravirt/gate.asm). How to read one: probe.inc.
%include "pc.inc"
%include "probe.inc"

table hypercall_probes

%define HOST_CS 0x33
%define GATE(n) HOST_CS:0xfc000000 + 32 * (n)    ; 0: hypercall, 1: IRET, 2: IRET (frame on the stack), 3: system call
%define EFAULT -PV_EFAULT & 0xffffffff
%define EBUSY -PV_EBUSY & 0xffffffff
%define EPERM -PV_EPERM & 0xffffffff
%define ENOSYS -PV_ENOSYS & 0xffffffff

%macro hypercall 1              ; EBX ECX EDX ESI EDI -> EAX
    call HYPERCALL_ENTRY(%1)
%endmacro

%macro hypercall_eax 0          ; the number is in EAX
    call %%cross
    jmp %%done
%%cross:
    jmp GATE(0)
%%done:
%endmacro

; ---- numbers, registers -------------------------------------------------------------------------------
probe "pv-version", PV_VERSION
    hypercall HC_VERSION

probe "pv-no-such-number", ENOSYS
    mov eax, HYPERCALLS
    hypercall_eax

probe "pv-wild-number", ENOSYS
    mov eax, 0x80000001
    hypercall_eax

%macro registers 1              ; all but EAX are as they were
    mov ebx, 0x11111111
    mov ecx, 0x22222222
    mov edx, 0x33333333
    mov esi, 0x44444444
    mov edi, 0x55555555
    mov ebp, esp
    hypercall %1
    sub ebp, esp
    sub ebx, 0x11111111
    or ebp, ebx
    sub ecx, 0x22222222
    or ebp, ecx
    sub edx, 0x33333333
    or ebp, edx
    sub esi, 0x44444444
    or ebp, esi
    lea eax, [edi - 0x55555555]
    or eax, ebp
%endmacro

probe "pv-registers-kept", 0    ; by a hypercall that the gate serves
    registers HC_VERSION

probe "pv-registers-kept-far", 0        ; by one that leaves the guest
    registers HC_MMU_UPDATE

%macro fpu 1
    fninit
    mov dword [scratch], 7
    fild dword [scratch]
    mov eax, 0x1234
    movd xmm5, eax
    hypercall %1
    fistp dword [scratch + 4]
    movd eax, xmm5
    shl eax, 16
    or eax, [scratch + 4]
%endmacro

probe "pv-fpu-kept", 0x12340007
    fpu HC_VERSION

probe "pv-fpu-kept-far", 0x12340007
    fpu HC_MMU_UPDATE

probe "pv-direction-set", PV_VERSION
    std
    hypercall HC_VERSION
    cld

probe "pv-alignment-checked", PV_VERSION
    push FLAG_AC | 2
    popfd
    hypercall HC_VERSION
    push 2
    popfd

probe "pv-nested-task", PV_VERSION
    push 0x4000 | 2
    popfd
    hypercall HC_VERSION
    push 2
    popfd

probe "pv-single-step", PV_VERSION      ; a step ends in the gate
    mov dword [pass_vector], 1
    push FLAG_TF | 2
    popfd
    hypercall HC_VERSION
    push 2
    popfd

probe "pv-step-mov-to-cr0", PF | ERR(3) | AT, U_RO + 4  ; a step ends in an instruction that is emulated: CR0.WP stays
    mov dword [pass_vector], 1
    mov eax, cr0
    and eax, ~0x10000
    push FLAG_TF | 2
    popfd
    mov cr0, eax
    push 2
    popfd
.at:
    mov [U_RO + 4], al

; ---- wild arguments -----------------------------------------------------------------------------------
probe "pv-wild-pointer", EFAULT
    mov ebx, 0x12345678
    mov ecx, 1
    hypercall HC_MMU_UPDATE

probe "pv-user-pointer-absent", EFAULT
    mov ebx, U_ABSENT
    mov ecx, 1
    hypercall HC_MULTICALL

probe "pv-store-to-page-table", 3       ; its error code, and the address is right
    resume .there
    mov ebx, [user_ptes]
    mov [ebx], eax
.there:
    mov eax, [seen_cr2]
    sub eax, [user_ptes]
    or eax, [seen + 52]

probe "pv-map-page-table", EBUSY        ; writable
    mov ebx, [user_ptes]
    lea ecx, [ebx - KERNEL_BASE]
    and ecx, 0xfffff000
    or ecx, 3
    xor edx, edx
    hypercall HC_UPDATE_VA_MAPPING

probe "pv-map-others-frame", EPERM      ; the VMM's own
    mov ebx, U_DATA
    mov ecx, 0x10000 | 7
    xor edx, edx
    hypercall HC_UPDATE_VA_MAPPING

; ---- events -------------------------------------------------------------------------------------------
probe "pv-sti-delivers", 0x14
    call arm_irq
    op_sti
    op_cli
    mov eax, [irqs]
    shl eax, 4
    or eax, [irq_order]

probe "pv-send-while-on", 1             ; it comes before the hypercall is back
    call open_irq
    mov dword [armed], 1
    op_sti
    mov ebx, PV_EVENT_SEND
    mov ecx, IRQ_COM1
    hypercall HC_EVENT
    mov eax, [irqs]
    op_cli

probe "pv-block-after-sti", 0x100       ; a raw STI holds events back for one instruction, not for good
    push 512
    call timer_once
    pop ecx
    sti
    op_idle
    mov eax, [irqs]
    shl eax, 8
    or eax, [irq_order]

; ---- from ring 3: the page is the kernel's, and the gates ask who comes ---------------------------------
%macro gate_user 3              ; name, gate, where it comes out: a page that ring 3 cannot read. EAX says EPERM
probe %1, EPERM
    resume .there
    user
    mov eax, HC_VERSION
    jmp GATE(%2)
    in_kernel
.there:
    mov eax, [seen + 44]
    cmp dword [seen_cr2], %3
    je probe_done
    mov eax, [seen_cr2]
%endmacro

gate_user "pv-hypercall-user", 0, PV_PAGE_RETURN
gate_user "pv-iret-user", 1, PV_PAGE_IRET
gate_user "pv-iret-slow-user", 2, PV_PAGE_IRET

probe "pv-user-call", VEC(0x40) | UAT
    user
    mov edx, U_CODE + .at - .user
    jmp GATE(3)
    nop
.at:

probe "pv-user-call-stepped", VEC(0x40) | UAT
    mov dword [pass_vector], 1
    user USER | FLAG_TF
    mov edx, U_CODE + .at - .user
    jmp GATE(3)
    nop
.at:

probe "pv-user-call-frame", FLAG_IF     ; of EFLAGS; the arithmetic flags are lost, as in any routine
    resume .there
    user
    mov edx, U_CODE
    jmp GATE(3)
    in_kernel
.there:
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF | FLAG_TF | IOPL3

probe "pv-user-call-masks", 0           ; the kernel goes on with IF 0
    resume .there
    user
    mov edx, U_CODE
    jmp GATE(3)
    in_kernel
.there:
    mov eax, [PV_FLAGS]
    and eax, FLAG_IF

probe "pv-user-call-in-kernel", VEC(0x40) | AT          ; like INT
    mov edx, .at
    jmp GATE(3)
    nop
.at:

; ---- IRET ---------------------------------------------------------------------------------------------
%macro to_user 3                        ; SS, EFLAGS, CS
    push %1
    push U_TOP
    push %2
    push %3
    push U_CODE
    iret_to
%endmacro

probe "pv-iret-ss-null", GP, 0
    to_user 0, USER, U_CS

probe "pv-iret-ss-kernel", GP | ERR(K_DATA), 0
    to_user K_DATA, USER, U_CS

probe "pv-iret-cs-data", GP | ERR(0x38), 0
    to_user U_DS, USER, U_DS

probe "pv-iret-eip-kernel", PF | ERR(5), KERNEL_BASE + 0x100000         ; beyond ring 3's CS, when the gate knows ring 3 already
    resume .there
    user
    int SOFT
    in_kernel
.there:
    push U_DS
    push U_TOP
    push USER
    push U_CS
    push KERNEL_BASE + 0x100000
    iret_to

probe "pv-iret-clears-ds", GP | UAT     ; ring 3 does not get the kernel's segments, though the gate knows ring 3 already
    resume .there
    user
    int SOFT
.at:
    mov eax, [KERNEL_BASE + 0x100000]
    in_kernel
.there:
    push U_DS
    push U_TOP
    push USER
    push U_CS
    push U_CODE + .at - .user
    iret_to

probe "pv-iret-flags", 0xcd5
    push 0xcd7
    push K_CODE
    push .there
    iret_to
.there:
    flags 0xcd5

end_table
