; Privileged instructions in the kernel: what they must do. That ring 3 may not is in user.asm; CLI, STI and HLT
; are in interrupts.asm. How to read one: probe.inc.
%include "probe.inc"

table privileged_probes

; ---- ports; 0x3ff is the UART's scratch register, 0x2f0 nobody ---------------------------------------
probe "in-out-byte", 0x5a
    mov dx, 0x3ff
    mov al, 0x5a
    out dx, al
    mov al, 0
    in al, dx

probe "in-nobody", 0xff
    mov dx, 0x2f0
    in al, dx

probe "in-word-nobody", 0x1234ffff          ; the upper half of EAX stays
    mov eax, 0x12340000
    mov dx, 0x2f0
    in ax, dx

probe "in-dword-nobody", 0xffffffff
    mov dx, 0x2f0
    in eax, dx

probe "in-immediate", 0xa5                  ; the first PIC's mask
    in al, 0x21
    mov cl, al
    mov al, 0xa5
    out 0x21, al
    in al, 0x21
    xchg al, cl
    out 0x21, al
    mov al, cl

probe "ins-byte", 0xaa07
    mov dx, 0x3ff
    mov al, 7
    out dx, al
    mov word [scratch], 0xaaaa
    mov edi, scratch
    insb
    movzx eax, word [scratch]

probe "ins-rep-down", 3                     ; DF: three bytes downwards, ECX 0
    mov dx, 0x3ff
    mov edi, scratch + 8
    mov ecx, 3
    std
    rep insb
    cld
    mov eax, scratch + 8
    sub eax, edi
    or eax, ecx

probe "outs-byte", 0x66
    mov byte [scratch], 0x66
    mov esi, scratch
    mov dx, 0x3ff
    outsb
    in al, dx

probe "outs-rep", 0x00040003                ; the last one stays; ESI is behind it
    mov dword [scratch], 0x03020100
    mov esi, scratch
    mov dx, 0x3ff
    mov ecx, 4
    rep outsb
    mov eax, esi
    sub eax, scratch
    shl eax, 16
    in al, dx

; ---- descriptor tables and the task register ---------------------------------------------------------
probe "lgdt", 0x11223344                    ; a copy, in which 0x80 says something else
    mov esi, gdt
    mov edi, scratch
    mov ecx, 80
    rep movsd
    mov dword [scratch + 0x80], 0x0000ffff
    mov dword [scratch + 0x84], 0x00cf9201
    mov dword [scratch + 0x200], 0x11223344
    mov word [scratch + 0x300], 40 * 8 - 1
    mov dword [scratch + 0x302], scratch
    lgdt [scratch + 0x300]
    mov eax, 0x80
    mov es, eax
    mov eax, [es:scratch + 0x200 - 0x10000]

probe "lgdt-limit", GP | ERR(0x80) | AT
    mov word [scratch], 0x7f
    mov dword [scratch + 2], gdt
    lgdt [scratch]
    mov eax, 0x80
.at:
    mov es, eax

probe "lidt-limit", GP | ERR(SOFT * 8 + 2) | AT
    mov word [scratch], SOFT * 8 - 1
    mov dword [scratch + 2], idt
    lidt [scratch]
.at:
    int SOFT

probe "lldt", 0x11223344                    ; an LDT of two, the second one at base 0x10000
    mov eax, scratch
    mov [gdt + 0x72], ax
    shr eax, 16
    mov word [gdt + 0x70], 15
    mov [gdt + 0x74], al
    mov byte [gdt + 0x75], 0x82
    mov byte [gdt + 0x76], 0
    mov [gdt + 0x77], ah
    mov dword [scratch + 8], 0x0000ffff
    mov dword [scratch + 12], 0x00cf9201
    mov dword [scratch + 64], 0x11223344
    mov eax, 0x70
    lldt ax
    mov eax, 0x0c
    mov es, eax
    mov eax, [es:scratch + 64 - 0x10000]

probe "lldt-none", GP | ERR(0x0c) | AT      ; no LDT: no selector in it is any good
    mov eax, 0x0c
.at:
    mov es, eax

probe "lldt-data", GP | ERR(K_DATA) | AT
    mov eax, K_DATA
.at:
    lldt ax

probe "lldt-absent", NP | ERR(0x80) | AT
    gdt_set 0x80, 0x0000000f, 0x00000200
    mov eax, 0x80
.at:
    lldt ax

probe "ltr-marks-busy", 0x8b
    gdt_set 0x80, 0x00000067, 0x00008900
    mov eax, 0x80
    ltr ax
    movzx eax, byte [gdt + 0x85]

probe "ltr-busy", GP | ERR(TSS) | AT
    mov eax, TSS
.at:
    ltr ax

probe "ltr-data", GP | ERR(K_DATA) | AT
    mov eax, K_DATA
.at:
    ltr ax

; ---- CR0 to CR4, LMSW, CLTS ---------------------------------------------------------------------------
probe "lmsw-sets-ts", 8
    smsw eax
    or eax, 8
    lmsw ax
    mov eax, cr0
    and eax, 8

probe "lmsw-keeps-pe-pg", 0x80000001
    xor eax, eax
    lmsw ax
    mov eax, cr0
    and eax, 0x80000001

probe "clts", 0
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    clts
    mov eax, cr0
    and eax, 8

probe "mov-cr1", UD | AT
.at:
    mov eax, cr1

probe "mov-cr2", 0x12345678
    mov eax, 0x12345678
    mov cr2, eax
    xor eax, eax
    mov eax, cr2

probe "mov-cr3", 0
    mov eax, cr3
    mov cr3, eax
    mov ecx, cr3
    sub eax, ecx

probe "mov-cr4", 8                          ; DE
    mov ecx, cr4
    mov eax, ecx
    or eax, 8
    mov cr4, eax
    mov eax, cr4
    mov cr4, ecx
    and eax, 8

probe "mov-dr0", 0xc0123456
    mov eax, 0xc0123456
    mov dr0, eax
    xor eax, eax
    mov eax, dr0

probe "mov-dr7-fixed-bits", 0x400           ; bit 10 is always 1
    xor eax, eax
    mov dr7, eax
    mov eax, dr7

; ---- the TLB --------------------------------------------------------------------------------------------
%macro remap 1                              ; U_DATA becomes U_RO's page, once the TLB forgets
probe %1, 0x22
    mov byte [U_DATA], 0x11
    mov ebx, [user_ptes]
    mov ecx, [ebx + 8]
    op_set_pte ebx + 4, ecx
    and ecx, 0xfffff000
    mov byte [ecx + KERNEL_BASE], 0x22
%endmacro

remap "invlpg"
    invlpg [U_DATA]
    mov al, [U_DATA]

remap "mov-cr3-flushes"
    mov edx, cr3
    mov cr3, edx
    mov al, [U_DATA]

probe "invlpg-absent", 0                    ; no fault, whatever the address
    invlpg [U_FAR]

; ---- the rest --------------------------------------------------------------------------------------------
probe "wbinvd", 0
    wbinvd

probe "rdmsr-wrmsr", 0x1234                 ; SYSENTER_CS: kept, and used by nobody here
    mov ecx, 0x174
    mov eax, 0x1234
    xor edx, edx
    wrmsr
    xor eax, eax
    rdmsr

probe "rdmsr-tsc", 1                        ; the counter that RDTSC reads
    mov ecx, 0x10
    rdmsr
    mov ebx, eax
    mov esi, edx
    rdtsc
    sub eax, ebx
    sbb edx, esi
    setns al
    movzx eax, al

probe "cpuid-leaf-1", 0x11                  ; TSC and FPU
    mov eax, 1
    cpuid
    mov eax, edx
    and eax, 0x11

probe "cpuid-highest", 1
    cpuid
    test eax, eax
    setnz al
    movzx eax, al

end_table
