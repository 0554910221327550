; Segment registers read and loaded, far transfers, INT n: sensitive as well, for they show or use the selectors of
; the machine below; most of them fault there, so that trap-and-emulate gets them right. See probe.inc.
%include "probe.inc"

table segment_probes

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

; ---- loading segment registers: Intel SDM vol. 3A 5.6, 5.7 ---------------------------------------------
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

; ---- far CALL, JMP, RET: Intel SDM vol. 3A 5.8 ---------------------------------------------------------
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
    in_kernel
.gate:
    mov eax, [esp + 8]
    add eax, [esp + 12]
    retf 8

probe "call-gate-dpl", GP | ERR(0x80) | UAT
    gdt_set 0x80, 0x00080000, 0x00008c00
    user
.at:
    call 0x83:0

; ---- INT n: Intel SDM vol. 3A 6.12 ----------------------------------------------------------------------
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
    op_gate_changed SOFT
    resume .there
    user
    push 0
    int SOFT
    in_kernel
.there:
    mov eax, [kernel_stack_top]
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

end_table
