; Robin and Irvine's instructions, which show or change privileged state and do not trap: what a guest must see.
; Under trap-and-emulate most of these fail, by name in tests/expected/trap-emulate.txt. How to read one: probe.inc.
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

; ---- PUSHF POPF -----------------------------------------------------------------------------------
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

; ---- LAR LSL VERR VERW ----------------------------------------------------------------------------
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

; ---- reading segment registers --------------------------------------------------------------------
%macro reads 3                              ; name, register, selector
probe %1, %3
    mov eax, %2
%endmacro
%macro pushes 3
probe %1, %3
    push %2
    pop eax
    movzx eax, ax                           ; the slot's upper half is up to the processor
%endmacro

reads "mov-from-cs", cs, K_CODE
    movzx eax, ax
reads "mov-from-ds", ds, K_DATA
reads "mov-from-ss", ss, K_DATA
pushes "push-cs", cs, K_CODE
pushes "push-ds", ds, K_DATA
pushes "push-ss", ss, K_DATA
pushes "push-es", es, K_DATA

probe "mov-from-cs-memory", 0xabcd0000 | K_CODE
    mov dword [scratch], 0xabcd0000
    mov [scratch], cs
    mov eax, [scratch]

probe "mov-from-cs-user", U_CS
    user
    mov eax, cs

probe "mov-from-ds-user", U_DS
    user
    mov eax, ds

probe "push-cs-user", 3                     ; its RPL is the CPL
    user
    push cs
    pop eax
    and eax, 3

probe "mov-from-fs-null", 0
    mov fs, eax
    mov eax, fs

probe "mov-from-gs-loaded", 0x80
    gdt_set 0x80, 0x0000ffff, 0x00cf9200
    mov eax, 0x80
    mov gs, eax
    mov eax, gs

; ---- loading segment registers --------------------------------------------------------------------
%define LOW_BASE(address) (address - 0x10000)       ; through a segment whose base is 0x10000

%macro loads 1-2+                           ; name; how ES is loaded from EAX = 0x80, a segment at base 0x10000
probe %1, 0x11223344
    gdt_set 0x80, 0x0000ffff, 0x00cf9201
    mov dword [scratch + 64], 0x11223344
    mov dword [scratch], 0
    mov dword [scratch + 4], 0x80
    mov eax, 0x80
    %2
%endmacro

loads "mov-to-es", mov es, eax
    mov eax, [es:scratch + 64 - 0x10000]

loads "pop-es", push eax
    pop es
    mov eax, [es:scratch + 64 - 0x10000]

loads "pop-fs", push eax
    pop fs
    mov eax, [fs:scratch + 64 - 0x10000]

loads "les", les eax, [scratch]
    mov eax, [es:eax + scratch + 64 - 0x10000]

loads "lgs", lgs eax, [scratch]
    mov eax, [gs:eax + scratch + 64 - 0x10000]

probe "lss", 0x5678
    push 0x5678
    mov [scratch], esp
    mov dword [scratch + 4], K_DATA
    xor esp, esp
    lss esp, [scratch]
    pop eax

probe "mov-to-es-accessed", 0x93            ; the processor marks the descriptor
    gdt_set 0x80, 0x0000ffff, 0x00cf9200
    mov eax, 0x80
    mov es, eax
    movzx eax, byte [gdt + 0x85]

%macro load_faults 5-7                      ; name, result, register, selector[, low, high]: a descriptor at 0x80
probe %1, %2 | AT
%if %0 > 5
    gdt_set 0x80, %5, %6
%endif
    mov eax, %4
.at:
    mov %3, eax
%endmacro

load_faults "mov-to-es-beyond-gdt", GP | ERR(0x2000), es, 0x2003, 0
load_faults "mov-to-es-tss", GP | ERR(TSS), es, TSS, 0
load_faults "mov-to-es-execute-only", GP | ERR(0x80), es, 0x80, 0x0000ffff, 0x00cf9800
load_faults "mov-to-es-absent", NP | ERR(0x80), es, 0x80, 0x0000ffff, 0x00cf1200
load_faults "mov-to-es-rpl", GP | ERR(K_DATA), es, K_DATA | 3, 0
load_faults "mov-to-ss-null", GP, ss, 0, 0
load_faults "mov-to-ss-dpl", GP | ERR(0x38), ss, U_DS, 0
load_faults "mov-to-ss-read-only", GP | ERR(0x80), ss, 0x80, 0x0000ffff, 0x00cf9000
load_faults "mov-to-ss-absent", SS_FAULT | ERR(0x80), ss, 0x80, 0x0000ffff, 0x00cf1200

probe "mov-to-cs", UD | AT
.at:
    db 0x8e, 0xc8

probe "mov-to-ds-user", GP | ERR(K_DATA) | UAT
    user
    mov eax, K_DATA
.at:
    mov ds, eax

probe "pop-es-faults", 4                    ; ESP stays as it was
    push 0x2000
    mov edx, esp
    resume .resumed
    pop es
.resumed:
    mov eax, edx
    sub eax, esp
    add eax, 4

; ---- far CALL, JMP, RET ---------------------------------------------------------------------------
probe "jmp-far", 1
    jmp K_CODE:.there
    ud2
.there:
    inc eax

probe "jmp-far-memory", 1
    mov dword [scratch], .there
    mov word [scratch + 4], K_CODE
    jmp far [scratch]
.there:
    inc eax

probe "jmp-far-cs", 0x80                    ; as a trap shows it
    gdt_set 0x80, 0x0000ffff, 0x00cf9a00
    jmp 0x80:.there
.there:
    resume .end
    int SOFT
.end:
    movzx eax, word SEEN_CS

%macro jump_faults 4-6                      ; name, result, selector, is it `user`[, low, high]
probe %1, %2
%if %0 > 4
    gdt_set 0x80, %5, %6
%endif
%if %4
    user
%endif
.at:
    jmp %3:0
%endmacro

jump_faults "jmp-far-null", GP | AT, 0, 0
jump_faults "jmp-far-data", GP | ERR(K_DATA) | AT, K_DATA, 0
jump_faults "jmp-far-user", GP | ERR(0x18) | AT, U_CS, 0
jump_faults "jmp-far-absent", NP | ERR(0x80) | AT, 0x80, 0, 0x0000ffff, 0x00cf1a00
jump_faults "jmp-far-user-kernel", GP | ERR(K_CODE) | UAT, K_CODE, 1

probe "call-far-pushes-cs", K_CODE
    call K_CODE:.there
.there:
    pop ecx
    pop eax
    movzx eax, ax

probe "call-far-returns", 5
    call K_CODE:.there
    add eax, 4
    jmp .end
.there:
    inc eax
    retf
.end:

probe "retf-releases", 8
    mov edx, esp
    push 0
    push 0
    push K_CODE
    push .there
    retf 4
.there:
    mov eax, edx
    sub eax, esp
    add eax, 4

probe "retf-to-user", 0x77
    mov eax, 0x77
    mov byte [U_CODE], 0xcd                 ; int LEAVE_USER
    mov byte [U_CODE + 1], LEAVE_USER
    push U_DS
    push U_TOP
    push U_CS
    push U_CODE
    retf

probe "call-gate", 0x0a                     ; ring 3 through a gate: ring 0, two parameters on its stack
    mov eax, .gate
    mov word [gdt + 0x80], ax
    mov word [gdt + 0x82], K_CODE
    mov word [gdt + 0x84], 0xec02
    shr eax, 16
    mov word [gdt + 0x86], ax
    user
    push 7
    push 3
    call 0x83:0
    int LEAVE_USER
.gate:
    mov eax, [esp + 8]
    add eax, [esp + 12]
    retf 8

probe "call-gate-dpl", GP | ERR(0x80) | UAT
    gdt_set 0x80, 0x00080000, 0x00008c00
    user
.at:
    call 0x83:0

; ---- INT n ----------------------------------------------------------------------------------------
probe "int-kernel", VEC(SOFT) | AT          ; EIP is behind it
    int SOFT
.at:

probe "int-returns", 9
    mov dword [pass_vector], SOFT
    mov eax, 9
    int SOFT

probe "int-frame-cs", K_CODE
    resume .there
    int SOFT
.there:
    movzx eax, word SEEN_CS

probe "int-frame-if-set", FLAG_IF
    sti
    resume .there
    int SOFT
.there:
    cli
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF

probe "int-frame-if-clear", 0
    resume .there
    int SOFT
.there:
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF

probe "int-frame-size", 0                   ; the same ring: three words, no stack switch
    mov edx, esp
    resume .there
    int SOFT
.there:
    mov esp, edx
    mov eax, [seen_top]
    sub eax, edx

probe "int-user-dpl", GP | ERR(SOFT * 8 + 2) | UAT
    user
.at:
    int SOFT

probe "int-user-frame", 0                   ; SS:ESP, EFLAGS, CS:EIP on the stack that the TSS names
    or dword [idt + SOFT * 8 + 4], 0x6000
    resume .there
    user
    push 0
    int SOFT
.there:
    mov eax, [tss + 4]
    sub eax, [seen_top]
    mov ecx, SEEN_ESP
    sub ecx, U_TOP - 4
    or eax, ecx
    movzx ecx, word SEEN_SS
    sub ecx, U_DS
    or eax, ecx
    movzx ecx, word SEEN_CS
    sub ecx, U_CS
    or eax, ecx
    in_kernel

end_table
