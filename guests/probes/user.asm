; Ring 3: what it may not do, what IOPL and the TSS's I/O bitmap allow, and the ways back up. See probe.inc.
%include "probe.inc"

table user_probes

%macro denied 2+                            ; name; one instruction: #GP(0)
probe %1, GP | UAT
    user
    mov eax, U_DATA
    xor edx, edx
.at:
    %2
%endmacro

denied "cli-user", cli
denied "sti-user", sti
denied "hlt-user", hlt
denied "in-user", in al, 0x21
denied "out-user", out 0x80, al
denied "ins-user", insb
denied "outs-user", outsb
denied "lgdt-user", lgdt [eax]
denied "lidt-user", lidt [eax]
denied "lldt-user", lldt dx
denied "ltr-user", ltr dx
denied "lmsw-user", lmsw dx
denied "clts-user", clts
denied "invlpg-user", invlpg [eax]
denied "mov-from-cr0-user", mov eax, cr0
denied "mov-to-cr3-user", mov cr3, eax
denied "mov-from-dr7-user", mov eax, dr7
denied "mov-to-dr0-user", mov dr0, eax
denied "rdmsr-user", rdmsr
denied "wrmsr-user", wrmsr
denied "wbinvd-user", wbinvd

; ---- IOPL -------------------------------------------------------------------------------------------------
probe "cli-user-iopl-3", 0                  ; as a trap's frame shows it
    resume .there
    user USER | IOPL3
    cli
    int SOFT
    in_kernel
.there:
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF

probe "sti-user-iopl-3", FLAG_IF
    resume .there
    user 2 | IOPL3
    sti
    int SOFT
    in_kernel
.there:
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF

probe "in-user-iopl-3", 0xff
    user USER | IOPL3
    mov dx, 0x240
    in al, dx

probe "hlt-user-iopl-3", GP | UAT           ; IOPL is about ports and IF only
    user USER | IOPL3
    nop
.at:
    hlt

; ---- the I/O bitmap: Intel SDM vol. 1 19.5.2 --------------------------------------------------------------
%macro bitmap 1                             ; the bits of ports 0x240 to 0x24f
    mov word [tss + 102], 104
    mov dword [tss + 104 + 0x240 / 8], %1 | 0xffff0000
    mov dx, 0x240
    xor eax, eax
%endmacro

probe "in-bitmap-allows", 0xff
    bitmap 0xfffe
    user
    mov dx, 0x240
    in al, dx

probe "in-bitmap-denies", GP | UAT
    bitmap 0xfffd
    user
    mov dx, 0x240
.at:
    in al, dx

probe "in-bitmap-every-byte", GP | UAT      ; a word takes two bits
    bitmap 0xff7f
    user
    mov dx, 0x247
.at:
    in ax, dx

probe "out-bitmap-word", 5                   ; across two bytes of the map
    bitmap 0xfe7f
    user
    mov dx, 0x247
    mov eax, 5
    out dx, ax

probe "out-bitmap-beyond-limit", GP | UAT
    bitmap 0
    mov word [tss + 102], 104 + 8192 - 2
    user
    mov dx, 0x240
.at:
    out dx, al

; ---- IRET ------------------------------------------------------------------------------------------------
%macro iret_frame 3                         ; EFLAGS, CS, EIP
    push %1
    push %2
    push %3
%endmacro

probe "iret-kernel", 5
    iret_frame 2, K_CODE, .there
    iretd
    ud2
.there:
    mov eax, 5

probe "iret-flags", 0xcd5
    iret_frame 0xcd7, K_CODE, .there
    iretd
.there:
    flags 0xcd5

probe "iret-esp", 0                         ; takes three words in the same ring
    mov edx, esp
    iret_frame 2, K_CODE, .there
    iretd
.there:
    mov eax, edx
    sub eax, esp

%macro iret_faults 4-7                      ; name, result, the frame's EFLAGS, CS[, SS[, low, high at 0x80]]
probe %1, %2 | AT
%if %0 > 6
    gdt_set 0x80, %6, %7
%endif
%if %0 > 4
    push %5
    push U_TOP
%endif
    iret_frame %3, %4, U_CODE
.at:
    iretd
%endmacro

iret_faults "iret-cs-null", GP, 2, 0
iret_faults "iret-cs-data", GP | ERR(K_DATA), 2, K_DATA
iret_faults "iret-cs-rpl", GP | ERR(0x18), 2, 0x18          ; RPL 0, DPL 3
iret_faults "iret-cs-absent", NP | ERR(0x80), 2, 0x80, 0, 0x0000ffff, 0x00cf1a00
iret_faults "iret-ss-null", GP, USER, U_CS, 0
iret_faults "iret-ss-kernel", GP | ERR(K_DATA), USER, U_CS, K_DATA
iret_faults "iret-ss-rpl", GP | ERR(0x38), USER, U_CS, 0x38

probe "iret-user-flags", IOPL3              ; to ring 3 with IF 0 and IOPL 3, as a trap's frame shows it
    resume .there
    user 2 | IOPL3
    int SOFT
    in_kernel
.there:
    mov eax, SEEN_EFLAGS
    and eax, IOPL3 | FLAG_IF

probe "iret-clears-ds", 0                   ; ring 3 does not get the kernel's segments
    mov dword [U_CODE], 0x41cdd88c          ; mov eax, ds; int LEAVE_USER
    push U_DS
    push U_TOP
    iret_frame USER, U_CS, U_CODE
    iretd

probe "iret-in-user", 0x202                 ; in ring 3 with IOPL 0 it changes neither IF nor IOPL
    resume .there
    user
    iret_frame IOPL3 | 2, U_CS, U_CODE + .next - .user
    iretd
.next:
    int SOFT
    in_kernel
.there:
    mov eax, SEEN_EFLAGS
    and eax, IOPL3 | USER

probe "iret-user-to-kernel", GP | ERR(K_CODE) | UAT
    user
    push U_DS                               ; AMD's processors read SS and ESP before they look at CS
    push U_TOP
    iret_frame 2, K_CODE, 0
.at:
    iretd

probe "int80-user", GP | ERR(0x80 * 8 + 2) | UAT    ; Linux's way in is nobody's here
    user
    nop
.at:
    int 0x80

probe "int80-kernel", VEC(0x80) | AT
    int 0x80
.at:

end_table
