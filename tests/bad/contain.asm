%include "guest.inc"
; Tries, from ring 0, whatever might reach beyond its machine: memory beyond its RAM, every port but the exit's, MSRs, every bit of
; CR0 and CR4 but PE, every debug register, the instructions of hypervisors. Each may fault or do nothing. What came of it
; the monitor's checksum tells; the guest only looks whether it is still there, and whether nothing answers where nothing is.
%ifndef SPARSE
STRIDE          equ 0x1000
%endif
PSE             equ 0x10

%macro try 1+                           ; an instruction that may fault
        mov     dword [resume], %%next
        %1
%%next:
%endmacro

section .bss
align 4096
directory: resd 1024
idt:    resb    256 * 8
resume: resd    1
ram:    resd    1

section .data
idtr:   dw      256 * 8 - 1
        dd      idt
operand: dq     0x1000                  ; of VMXON and its kin: an address in RAM
descriptor: dq  0, 0

section .text
main:
        mov     eax, [ebx + 8]          ; KiB above 1 MiB
        shl     eax, 10
        add     eax, 0x100000
        mov     [ram], eax
        mov     edi, idt
        mov     ecx, 256
.gate:  mov     eax, handler
        mov     [edi], ax
        mov     word [edi + 2], 0x08
        mov     word [edi + 4], 0x8e00
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        loop    .gate
        lidt    [idtr]
        xor     ecx, ecx                ; a directory that maps all to itself, for when paging comes on
.large: mov     eax, ecx
        shl     eax, 22
        or      eax, 0x83
        mov     [directory + ecx * 4], eax
        inc     ecx
        cmp     ecx, 1024
        jb      .large
        mov     eax, directory
        mov     cr3, eax
        mov     eax, PSE
        mov     cr4, eax

; ---- memory
        mov     esi, [ram]
.page:  mov     [esi], esi
        add     esi, STRIDE
        jnc     .page
        cpuid                           ; leaves the guest: after that nothing of it may be there
        mov     esi, [ram]
.look:  cmp     dword [esi], 0xffffffff
        jne     wrong
        add     esi, 0x1001000
        jnc     .look

; ---- ports
        xor     edx, edx
        cld
.port:  cmp     edx, 0xf4
        je      .next
        xor     eax, eax
        out     dx, al
        in      al, dx
%ifdef SPARSE
        test    edx, 0xf
        jnz     .next
%endif
        lea     eax, [edx + 3]          ; four bytes that do not hold the exit's port
        cmp     eax, 0xf4
        jb      .wide
        cmp     edx, 0xf4
        jb      .next
.wide:  xor     eax, eax
        out     dx, eax
        in      eax, dx
.next:  inc     edx
        test    edx, 0x10000
        jz      .port

; ---- model-specific registers
        mov     edi, ranges
.range: mov     ebx, [edi]
.msr:   mov     ecx, ebx
        try rdmsr
        xor     eax, eax
        xor     edx, edx
        mov     ecx, ebx
        try wrmsr
        mov     eax, -1
        mov     edx, -1
        mov     ecx, ebx
        try wrmsr
        inc     ebx
        cmp     ebx, [edi + 4]
        jb      .msr
        add     edi, 8
        cmp     edi, ranges_end
        jb      .range

; ---- control and debug registers
        mov     ecx, 31
.cr0:   mov     eax, 1
        shl     eax, cl
        mov     ebx, cr0
        mov     edx, ebx
        xor     edx, eax
        try mov cr0, edx
        try mov cr0, ebx
        loop    .cr0                    ; not bit 0
        mov     ecx, 32
.cr4:   mov     eax, 1
        shl     eax, cl
        mov     ebx, cr4
        mov     edx, ebx
        xor     edx, eax
        try mov cr4, edx
        try mov cr4, ebx
        loop    .cr4
        mov     eax, -1
        try mov cr2, eax
        try mov dr0, eax
        try mov dr1, eax
        try mov dr2, eax
        try mov dr3, eax
        try mov dr6, eax
        try mov dr7, eax
        mov     eax, 0x400
        try mov dr7, eax
        try mov dr7, eax                ; with general detection on, the first faults

; ---- what hypervisors use
        mov     eax, 0x1000
        xor     ecx, ecx
        xor     edx, edx
        try vmrun
        try vmload
        try vmsave
        try vmmcall
        try vmcall
        try stgi
        try clgi
        try db 0x0f, 0x01, 0xde         ; SKINIT
        try db 0x0f, 0x01, 0xdf         ; INVLPGA
        try vmxon [operand]
        try vmclear [operand]
        try vmptrld [operand]
        try vmptrst [operand]
        try vmlaunch
        try vmresume
        try vmread eax, ecx
        try vmwrite eax, ecx
        try vmxoff
        try invept eax, [descriptor]
        try invvpid eax, [descriptor]
        try db 0x0f, 0x37               ; GETSEC
        try rsm
        try monitor
        try mwait
        try xsetbv
        try rdtscp
        try rdpmc
        try invd
        try wbinvd
        exit    0
wrong:
        exit    1

handler:
        mov     esp, stack_top
        jmp     [resume]

section .data
ranges: dd      0, 0x2000, 0x40000000, 0x40000200, 0xc0000000, 0xc0002000, 0xc0010000, 0xc0012000
ranges_end:
