; Exceptions: vector, error code, EIP and CR2 of each, from the kernel and from ring 3. How to read one: probe.inc.
%include "probe.inc"

table exception_probes

; ---- #DE #BP #OF #BR #UD ---------------------------------------------------------------------------------
probe "de-zero", DE | AT
.at:
    div ecx

probe "de-overflow", DE | AT
    mov edx, 5
    mov ecx, 5
.at:
    div ecx

probe "de-user", DE | UAT
    user
    xor ecx, ecx
.at:
    idiv ecx

probe "bp-int3", BP | AT                    ; a trap: EIP is behind it
    int3
.at:

probe "bp-int-3", BP | AT
    db 0xcd, 3
.at:

probe "bp-user", BP | UAT
    user
    nop
    int3
.at:

probe "of-into", OF | AT
    mov al, 0x7f
    inc al
    into
.at:

probe "of-into-not", 1
    inc eax
    into

probe "of-user", OF | UAT
    user
    mov al, 0x7f
    inc al
    into
.at:

probe "br-bound", BR | AT
    mov dword [scratch], 10
    mov dword [scratch + 4], 20
    mov eax, 21
.at:
    bound eax, [scratch]

probe "br-within", 20
    mov dword [scratch], 10
    mov dword [scratch + 4], 20
    mov eax, 20
    bound eax, [scratch]

probe "ud-ud2", UD | AT
    nop
.at:
    ud2

probe "ud-jmp-far-register", UD | AT
.at:
    db 0xff, 0xe8

probe "ud-user", UD | UAT
    user
    nop
.at:
    ud2

; ---- the FPU: Intel SDM vol. 3A 13.1, 6.15 (#NM) ------------------------------------------------------------
%macro task_switched 1                      ; CR0.TS
    mov ecx, cr0
    and ecx, ~8
    or ecx, %1 << 3
    mov cr0, ecx
%endmacro

probe "nm-ts", VEC(7) | AT                  ; the processor is another task's: x87 instructions say so
    task_switched 1
.at:
    fld1

probe "nm-clts", 7
    task_switched 1
    clts
    fninit
    mov dword [scratch], 7
    fild dword [scratch]
    fistp dword [scratch + 4]
    mov eax, [scratch + 4]

probe "fpu-kept", 7                         ; x87 registers outlive whatever traps
    fninit
    mov dword [scratch], 7
    fild dword [scratch]
    in al, 0x21
    mov ecx, cr3
    mov cr3, ecx
    fistp dword [scratch + 4]
    mov eax, [scratch + 4]

probe "sse-kept", 0x1234
    mov ecx, cr4
    or ecx, 0x200                           ; OSFXSR
    mov cr4, ecx
    mov eax, 0x1234
    movd xmm3, eax
    in al, 0x21
    movd eax, xmm3
    and ecx, ~0x200
    mov cr4, ecx

probe "gp-instruction-too-long", GP | AT    ; sixteen bytes
.at:
    times 15 db 0x66
    nop

; ---- #DB, Intel SDM vol. 3B 17.3.1.4: single steps; each digit says where one stopped ----
%macro step 2-3+                            ; name, stops; what comes before (to count for the offset)
probe %1, %2
    %3
    mov dword [pass_vector], 1
    push FLAG_TF | 2
    popfd                                   ; does not trap yet; behind it is offset 16
%endmacro
%macro step_end 0
    push 2
    popfd                                   ; still traps
    mov eax, [trace]
%endmacro

step "db-step", 0x1245
    nop
    nop
    step_end

step "db-step-mov-ss", 0x69bc, mov ecx, K_DATA      ; nothing between MOV SS and the next instruction
    nop
    mov ss, ecx
    nop
    step_end

step "db-step-pop-ss", 0x467, push K_DATA          ; two bytes more in front
    pop ss
    nop
    step_end

step "db-step-rep", 0xaaacef, mov ecx, 3           ; one stop a turn
    mov edi, scratch
    rep stosb
    step_end

step "db-step-cli-pushf", 0x123467                   ; what is sensitive steps like all else
    cli
    pushfd
    pop eax
    nop
    step_end

probe "db-iret", 0x1                                ; TF comes with IRET
    mov dword [pass_vector], 1
    push FLAG_TF | 2
    push K_CODE
    push .there
    iretd
align 16
.there:
    nop
    push 2
    popfd
    mov eax, [trace]
    shr eax, 8

probe "db-user", 0x12
    mov dword [pass_vector], 1
    resume .there
    user USER | FLAG_TF
    nop
    nop
    int SOFT
    in_kernel
.there:
    mov eax, [trace]

probe "db-sets-dr6", 0x4000
    xor eax, eax
    mov dr6, eax
    mov dword [pass_vector], 1
    push FLAG_TF | 2
    popfd
    push 2
    popfd
    mov eax, dr6
    and eax, 0x4000

probe "db-frame-tf", FLAG_TF                        ; the frame shows TF, the handler runs without
    resume .there
    push FLAG_TF | 2
    popfd
    nop
.there:
    mov eax, SEEN_EFLAGS
    and eax, FLAG_TF

; ---- #NP #SS #GP: more than the loads in sensitive.asm -----------------------------------------------------
probe "np-gate", NP | ERR(SOFT2 * 8 + 2) | AT
    and dword [idt + SOFT2 * 8 + 4], ~0x8000
    op_gate_changed SOFT2
.at:
    int SOFT2

probe "np-gate-code", NP | ERR(0x80) | AT           ; the gate is there, its segment is not
    gdt_set 0x80, 0x0000ffff, 0x00cf1a00
    mov word [idt + SOFT2 * 8 + 2], 0x80
    op_gate_changed SOFT2
.at:
    int SOFT2

probe "gp-gate-null", GP | AT
    mov word [idt + SOFT2 * 8 + 2], 0
    op_gate_changed SOFT2
.at:
    int SOFT2

probe "gp-gate-data", GP | ERR(K_DATA) | AT
    mov word [idt + SOFT2 * 8 + 2], K_DATA
    op_gate_changed SOFT2
.at:
    int SOFT2

probe "gp-gate-type", GP | ERR(SOFT2 * 8 + 2) | AT  ; an LDT's descriptor is no gate
    mov dword [idt + SOFT2 * 8 + 4], 0x8200
    op_gate_changed SOFT2
.at:
    int SOFT2

probe "ss-user-absent-page", PF | ERR(6) | UAT, U_STACK - 4
    user
    mov esp, U_STACK
    nop
.at:
    push eax

probe "ss-user-limit", SS_FAULT | UAT
    gdt_set 0x80, 0x00000fff, 0x0040f200
    user
    mov eax, 0x83
    mov ss, eax
.at:
    push eax

probe "gp-user-limit", GP | UAT
    gdt_set 0x80, 0x00000fff, 0x0040f200
    user
    mov eax, 0x83
    mov ds, eax
.at:
    mov eax, [0x1000]

probe "gp-user-limit-within", PF | ERR(4) | UAT, U_ABSENT + 0xffc
    gdt_set 0x80, 0x30000fff, 0x0040f240            ; base U_ABSENT
    user
    mov eax, 0x83
    mov ds, eax
.at:
    mov eax, [0xffc]

probe "gp-user-null", GP | UAT
    user
    xor eax, eax
    mov ds, eax
.at:
    mov al, [U_DATA]

probe "gp-user-write-cs", GP | UAT
    user
    nop
.at:
    mov [cs:U_DATA], al

; ---- #PF: Intel SDM vol. 3A 4.7 ---------------------------------------------------------------------------
%macro kernel_pf 4+                         ; name, error code, CR2; one instruction
probe %1, PF | ERR(%2) | AT, %3
    inc eax
.at:
    %4
%endmacro
%macro user_pf 4+
probe %1, PF | ERR(%2) | UAT, %3
    user
    inc eax
.at:
    %4
%endmacro

kernel_pf "pf-read-absent", 0, U_ABSENT + 4, mov eax, [U_ABSENT + 4]
kernel_pf "pf-write-absent", 2, U_ABSENT + 4, mov [U_ABSENT + 4], eax
kernel_pf "pf-no-table", 0, U_FAR + 4, mov eax, [U_FAR + 4]
kernel_pf "pf-write-protected", 3, U_RO + 4, mov [U_RO + 4], eax
kernel_pf "pf-crossing", 0, U_ABSENT, mov eax, [U_ABSENT - 2]
user_pf "pf-user-read-absent", 4, U_ABSENT + 4, mov eax, [U_ABSENT + 4]
user_pf "pf-user-write-absent", 6, U_ABSENT + 4, mov [U_ABSENT + 4], eax
user_pf "pf-user-no-table", 4, U_FAR + 4, mov eax, [U_FAR + 4]
user_pf "pf-user-write-ro", 7, U_RO + 4, mov [U_RO + 4], eax
user_pf "pf-user-crossing", 7, U_RO, mov [U_RO - 2], eax
user_pf "pf-user-read-kernel", 5, KERNEL_BASE + 0x100004, mov eax, [KERNEL_BASE + 0x100004]
user_pf "pf-user-write-kernel", 7, KERNEL_BASE + 0x100004, mov [KERNEL_BASE + 0x100004], eax
user_pf "pf-user-read-high", 4, 0xffbffffc, mov eax, [0xffbffffc]

probe "pf-user-fetch-kernel", PF | ERR(5), KERNEL_BASE + 0x100000
    user
    mov eax, KERNEL_BASE + 0x100000
    jmp eax

probe "pf-user-fetch-absent", PF | ERR(4) | 3, U_ABSENT + 3
    user
    mov eax, U_ABSENT + 3
    jmp eax

probe "pf-user-fetch-crossing", PF | ERR(4) | 15, U_DATA   ; the instruction begins on a page that is there
    pte U_DATA, 0
    invlpg [U_DATA]
    mov word [U_DATA - 2], 0xb890           ; nop; mov eax, ...
    user
    mov eax, U_DATA - 2
    jmp eax

probe "pf-user-supervisor-page", PF | ERR(5) | UAT, U_SUPER + 8
    pte U_SUPER, 3
    invlpg [U_SUPER]
    user
.at:
    mov eax, [U_SUPER + 8]

probe "pf-supervisor-page-kernel", 0x77     ; the kernel has it, between pages of ring 3
    pte U_SUPER, 3
    invlpg [U_SUPER]
    mov byte [U_SUPER + 8], 0x77
    mov al, [U_SUPER + 8]

probe "pf-wp-off", 0x99                     ; CR0.WP 0: the kernel writes where it likes
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    mov byte [U_RO + 4], 0x99
    movzx eax, byte [U_RO + 4]

probe "pf-accessed-dirty", 0x0020_0060      ; bits 5 and 6 of the entry after a read and after a write
    mov ebx, [user_ptes]
    mov al, [U_DATA]
    mov ecx, [ebx + 4]
    mov [U_DATA], al
    mov eax, [ebx + 4]
    and eax, 0x60
    and ecx, 0x60
    shl ecx, 16
    or eax, ecx

probe "pf-becomes-present", 0x66            ; from absent to present takes no INVLPG
    resume .there
    mov al, [U_ABSENT]
.there:
    mov ebx, [user_ptes]
    mov eax, [ebx + 4]
    op_set_pte ebx + 12, eax
    mov byte [U_DATA + 9], 0x66
    movzx eax, byte [U_ABSENT + 9]

probe "pf-rep-restarts", 3                  ; EDI is at the fault, three of ECX to go
    resume .there
    mov edi, U_ABSENT - 5
    mov ecx, 8
    pte U_RO, 7
    invlpg [U_RO]
    rep stosb
.there:
    mov eax, [seen + 16]                    ; EDI
    sub eax, U_ABSENT
    shl eax, 4
    or eax, [seen + 40]                     ; ECX

probe "pf-push-keeps-esp", U_STACK
    resume .there
    user
    mov esp, U_STACK
    push eax
    in_kernel
.there:
    mov eax, SEEN_ESP

probe "pf-cr2-stays", U_ABSENT              ; other faults leave CR2 alone
    resume .first
    mov al, [U_ABSENT]
.first:
    resume .second
    ud2
.second:
    mov eax, cr2

; ---- #AC --------------------------------------------------------------------------------------------------
%macro alignment 1                          ; CR0.AM
    mov ecx, cr0
    and ecx, ~0x40000
    or ecx, %1 << 18
    mov cr0, ecx
%endmacro

probe "ac-user", AC | UAT
    alignment 1
    user USER | FLAG_AC
    mov al, 0
.at:
    mov ecx, [U_DATA + 1]

probe "ac-user-aligned", 0
    alignment 1
    user USER | FLAG_AC
    mov ecx, [U_DATA + 4]

probe "ac-user-flag-off", 0
    alignment 1
    user
    mov ecx, [U_DATA + 1]

probe "ac-user-am-off", 0                   ; EFLAGS.AC alone does nothing
    alignment 0
    user USER | FLAG_AC
    mov ecx, [U_DATA + 1]

probe "ac-kernel", 0                        ; ring 0 is not checked
    alignment 1
    push FLAG_AC | 2
    popfd
    mov ecx, [U_DATA + 1]

end_table
