; Robin and Irvine's instructions, which show or change privileged state and do not trap: what a guest must see. The
; rest of them are in segments.asm. Under trap-and-emulate most of these fail, by name and with the reason in
; tests/expected/trap-emulate.txt. How to read one: probe.inc.
%include "probe.inc"

table sensitive_probes

; ---- SGDT SIDT SLDT STR SMSW ----------------------------------------------------------------------
probe "sgdt-base", 0
    sgdt [scratch]
    mov eax, [scratch + 2]
    sub eax, gdt

probe "sgdt-limit", 40 * 8 - 1
    sgdt [scratch]
    movzx eax, word [scratch]

probe "sgdt-user", 0
    user
    sgdt [U_DATA]
    mov eax, [U_DATA + 2]
    sub eax, gdt

probe "sidt-base", 0
    sidt [scratch]
    mov eax, [scratch + 2]
    sub eax, idt

probe "sidt-limit", 256 * 8 - 1
    sidt [scratch]
    movzx eax, word [scratch]

probe "sidt-user", 0
    user
    sidt [U_DATA]
    mov eax, [U_DATA + 2]
    sub eax, idt

probe "sldt-none", 0
    sldt ax
    movzx eax, ax

probe "sldt-loaded", 0x70
    gdt_set 0x70, 0x0000000f, 0x00008200
    mov ecx, 0x70
    lldt cx
    sldt ax
    movzx eax, ax

probe "str-selector", TSS                   ; 0x40 is Linux's as well: right, for a wrong reason
    str ax
    movzx eax, ax

probe "str-loaded", 0x68                    ; a second TSS, never used: nothing here leaves ring 0
    gdt_set 0x68, 0x00000067, 0x00008900
    mov ecx, 0x68
    ltr cx
    str ax
    movzx eax, ax

probe "smsw-ts", 8
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    smsw ax
    and eax, 8

probe "smsw-as-cr0", 0
    smsw ax
    mov ecx, cr0
    xor eax, ecx
    movzx eax, ax

probe "smsw-memory", 0xabcd0000             ; a word in memory, whatever the operand size
    mov dword [scratch], 0xabcd0000
    smsw [scratch]
    mov eax, cr0
    movzx eax, ax
    xor eax, [scratch]

probe "smsw-user", 8
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    xor eax, eax
    user
    smsw ax
    and eax, 8

; ---- PUSHF POPF: Intel SDM vol. 2B -----------------------------------------------------------------
probe "pushf-if-clear", 0
    flags FLAG_IF

probe "pushf-if-set", FLAG_IF
    sti
    flags FLAG_IF

probe "pushf-after-cli", 0
    sti
    cli
    flags FLAG_IF

probe "pushf-word", 0
    pushfw
    pop ax
    and eax, FLAG_IF

probe "popf-clears-if", 0
    sti
    push 2
    popfd
    flags FLAG_IF

probe "popf-word-clears-if", 0
    sti
    push word 2
    popfw
    flags FLAG_IF

probe "popf-sets-if", 0x14                  ; IF set, and the interrupt that waits for it comes at once
    call arm_irq
    push FLAG_IF | 2
    popfd
    nop
    flags FLAG_IF
    cli
    shr eax, 5
    or eax, [irq_order]

probe "popf-holds-interrupts", 0
    sti
    push 2
    popfd
    call arm_irq
    mov eax, [irqs]

probe "popf-restores-if", 0                 ; the idiom: pushf, cli, popf in an outer section changes nothing
    cli
    pushfd
    cli
    popfd
    call arm_irq
    mov eax, [irqs]

probe "popf-sets-iopl", IOPL3
    push IOPL3 | 2
    popfd
    flags IOPL3

probe "popf-arithmetic", 0xcd5
    push 0xcd7
    popfd
    flags 0xcd5
    cld

probe "popf-id-nt", 0x204000
    push 0x204002
    popfd
    flags 0x204000
    push 2
    popfd

probe "popf-user-keeps-if", FLAG_IF         ; IOPL 0: neither IF nor IOPL changes, and no fault tells
    user
    push IOPL3 | 2
    popfd
    flags IOPL3 | FLAG_IF

probe "popf-user-iopl-3", IOPL3             ; IOPL 3: IF does
    user USER | IOPL3
    push 2
    popfd
    flags IOPL3 | FLAG_IF

probe "pushf-user-iopl", IOPL3 | FLAG_IF
    user USER | IOPL3
    flags IOPL3 | FLAG_IF

probe "pushf-user-iopl-1", 0x1000 | FLAG_IF ; which allows nothing, and yet is seen
    user USER | 0x1000
    flags IOPL3 | FLAG_IF

probe "pushf-user-vif", 0x180000            ; VIF and VIP: IRET from ring 0 sets them
    user USER | 0x180000
    flags 0x180000

; ---- LAR LSL VERR VERW: Intel SDM vol. 3A 5.10 -------------------------------------------------------
%macro inspect 4                            ; name, instruction, selector, what it must say (0: ZF is 0)
probe %1, %4
    mov edx, %3
    %2 eax, edx
    jz .valid
    xor eax, eax
.valid:
%endmacro
%macro verify 4                             ; name, instruction, selector, ZF
probe %1, %4
    mov edx, %3
    %2 dx
    if_zf
%endmacro

inspect "lar-kernel-data", lar, K_DATA, 0x00c09300
    and eax, 0x00f0ff00                     ; bits 19:16 are undefined

inspect "lar-user-code", lar, U_CS, 0x00c0fb00
    and eax, 0x00f0fe00
    or eax, 0x100                           ; accessed or not

inspect "lar-tss", lar, TSS, 0x8b00
    and eax, 0xff00

inspect "lar-null", lar, 0, 0
inspect "lar-beyond-gdt", lar, 0x2000, 0

probe "lar-user-kernel-data", 0             ; DPL 0 is not for ring 3
    user
    mov edx, K_DATA
    lar eax, edx
    if_zf

probe "lar-user-data", 0x00c0f300
    user
    mov edx, U_DS
    lar eax, edx
    and eax, 0x00f0ff00

inspect "lsl-kernel-data", lsl, K_DATA, 0xffffffff
inspect "lsl-tss", lsl, TSS, 1
    cmp eax, 103
    setae al
    movzx eax, al

probe "lsl-bytes", 0x12345
    gdt_set 0x80, 0x00002345, 0x00419200
    mov edx, 0x80
    lsl eax, edx

probe "lsl-pages", 0x12345fff
    gdt_set 0x80, 0x00002345, 0x00c19200
    mov edx, 0x80
    lsl eax, edx

probe "lsl-call-gate", 0                    ; a gate has no limit
    gdt_set 0x80, 0x00080000, 0x0000ec00
    mov edx, 0x80
    lsl eax, edx
    if_zf

verify "verr-kernel-data", verr, K_DATA, 1
verify "verr-kernel-code", verr, K_CODE, 1
verify "verr-null", verr, 0, 0
verify "verr-tss", verr, TSS, 0
verify "verw-kernel-data", verw, K_DATA, 1
verify "verw-code", verw, K_CODE, 0

probe "verr-execute-only", 0
    gdt_set 0x80, 0x0000ffff, 0x00cf9800
    mov edx, 0x80
    verr dx
    if_zf

probe "verw-read-only", 0
    gdt_set 0x80, 0x0000ffff, 0x00cf9000
    mov edx, 0x80
    verw dx
    if_zf

probe "verr-user-kernel-data", 0
    user
    mov edx, K_DATA
    verr dx
    if_zf

probe "verw-user-data", 1
    user
    mov edx, U_DS
    verw dx
    if_zf

end_table
