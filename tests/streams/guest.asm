; A guest that runs the streams of a table (write.c) and prints how each of them ended, one line a stream: registers,
; flags, exception, a checksum of its memory. Whatever runs it must print what QEMU prints.
;
;   0x010000   the streams' tables: GDT, IDT, TSS, page directory, page table, handlers
;   0x020000   their code, 2 pages     0x024000   data and stack, 14 pages     0x034000   stack for the kernel
;   0x100000   this guest, the table in its data, all for the kernel alone
%include "guest.inc"

TABLES  equ 0x10000
IDT     equ 0x10800
TSS_RIGHTS equ 0x10045
PAGE_DIR equ 0x12000
PAGE_TAB equ 0x13000
CODE    equ 0x20000
CODE_BYTES equ 0x2000
MEMORY  equ 0x24000
USER_CODE equ 0x1b
VECTOR_END equ 0x3e
VECTOR_TIMER equ 0x20
FLAG_RF equ 0x10000

struc record
.bytes  resd 1
.eip    resd 1
.eflags resd 1
.user   resd 1
.cr0    resd 1
.gpr    resd 8                          ; EAX ECX EDX EBX ESP EBP ESI EDI
.page   resd 64
.offset resd 1
.length resd 1
.number resd 1
.timer  resd 1                          ; of a user stream: comes so many clocks of the 8254 after its begin
.code:
endstruc

section .data
align 4
table:  incbin TABLE
TABLES_BYTES equ 0x5000
MEMORY_BYTES equ 0xe000
left:   dd      0
this:   dd      0
entry:  dd      0                       ; of a stream: EIP, CS, ESP
        dw      0x08
entry_esp: dd   0
code16: dw      0xcd | VECTOR_END << 8, 0xcd | VECTOR_END << 8
gdt_of_streams: dw 0xaf
        dd      TABLES
idt_of_streams: dw 0x1ff
        dd      IDT

section .text
main:
        mov     al, 0x11                        ; interrupts of devices: vectors from 0x20 and 0x28
        out     0x20, al
        out     0xa0, al
        mov     al, VECTOR_TIMER
        out     0x21, al
        mov     al, VECTOR_TIMER + 8
        out     0xa1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xa1, al
        mov     al, 1
        out     0x21, al
        out     0xa1, al
        mov     al, 0xff
        out     0xa1, al
        mov     eax, [table]
        mov     [left], eax
        mov     dword [this], table + 4 + TABLES_BYTES + MEMORY_BYTES

next:   mov     al, 0xff                        ; no interrupts but those of INT
        out     0x21, al
        mov     eax, cr0                        ; paging off
        and     eax, 0x7fffffff
        mov     cr0, eax
        lgdt    [gdtr]
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, stack_top
        cld
        dec     dword [left]
        js      done

        mov     esi, table + 4                  ; memory as the table has it
        mov     edi, TABLES
        mov     ecx, TABLES_BYTES / 4
        rep movsd
        mov     edi, MEMORY
        mov     ecx, MEMORY_BYTES / 4
        rep movsd
        mov     edi, 0x34000
        xor     eax, eax
        mov     ecx, 0x400
        rep stosd
        mov     eax, [code16]
        mov     edi, CODE
        mov     ecx, CODE_BYTES / 4
        rep stosd
        mov     ebp, [this]
        lea     esi, [ebp + record.code]
        mov     edi, [ebp + record.offset]
        add     edi, CODE
        mov     ecx, [ebp + record.length]
        rep movsb
        lea     esi, [ebp + record.page]
        mov     edi, PAGE_TAB
        mov     ecx, 64
        rep movsd
        mov     edi, PAGE_TAB + 0x100 * 4       ; this guest itself: the kernel's, present, written to
        mov     eax, 0x100000 | 0x63
.page:  stosd
        add     eax, 0x1000
        cmp     eax, stack_top + 0x63
        jb      .page

        xor     ecx, ecx                        ; gates: exceptions but 3 and 4, and the end
.gate:  cmp     ecx, 3
        je      .other
        cmp     ecx, 4
        je      .other
        call    set_gate
.other: inc     ecx
        cmp     ecx, 32
        jb      .gate
        mov     ecx, VECTOR_END
        call    set_gate
        mov     eax, ticked
        mov     ecx, VECTOR_TIMER
        call    put_gate

        lgdt    [gdt_of_streams]
        lidt    [idt_of_streams]
        jmp     0x08:.flat
.flat:  mov     ax, 0x10
        mov     ss, ax
        and     byte [TSS_RIGHTS], ~2           ; not busy
        mov     ax, 0x40
        ltr     ax
        xor     eax, eax
        lldt    ax
        mov     cr2, eax
        mov     eax, PAGE_DIR
        mov     cr3, eax
        mov     eax, [ebp + record.cr0]
        mov     cr0, eax

        ; IRET to user code. To the kernel IRET, for the flags, MOV and JMP: a stream may read what is below its ESP
        mov     eax, [ebp + record.gpr + 16]
        mov     [entry_esp], eax
        mov     eax, [ebp + record.eip]
        mov     [entry], eax
        mov     edx, 0x10
        cmp     dword [ebp + record.user], 0
        jne     .user
        push    dword [ebp + record.eflags]
        push    0x08
        push    .kernel
        mov     eax, 0x48
        mov     ecx, 0x50
        jmp     .load
.user:  mov     edx, 0x3b
        call    set_timer
        push    edx
        push    dword [entry_esp]
        push    dword [ebp + record.eflags]
        push    USER_CODE
        push    eax
        mov     eax, 0x48 | 3
        mov     ecx, 0x50 | 3
.load:  mov     fs, ax
        mov     gs, cx
        mov     es, dx
        mov     ds, dx
        mov     eax, [ebp + record.gpr]
        mov     ecx, [ebp + record.gpr + 4]
        mov     edx, [ebp + record.gpr + 8]
        mov     ebx, [ebp + record.gpr + 12]
        mov     esi, [ebp + record.gpr + 24]
        mov     edi, [ebp + record.gpr + 28]
        mov     ebp, [ebp + record.gpr + 20]
        iret
.kernel: mov    esp, [entry_esp]
        jmp     far [entry]

done:   exit    0

; Interrupt gate ECX, for everybody if it is the end's, to its stub. Changes EAX, EDX.
set_gate:
        imul    eax, ecx, stub1 - stub0
        add     eax, stub0
put_gate:                               ; handler EAX
        movzx   edx, ax
        or      edx, 0x80000
        mov     [IDT + ecx * 8], edx
        mov     ax, 0x8e00
        cmp     ecx, VECTOR_END
        jne     .rights
        mov     ax, 0xee00
.rights: mov    [IDT + ecx * 8 + 4], eax
        ret

; The timer goes off once, somewhere in the stream or behind it. EBP: the record. Changes nothing.
set_timer:
        push    eax
        mov     al, 0x30                        ; channel 0, both bytes, mode 0
        out     0x43, al
        mov     al, [ebp + record.timer]
        out     0x40, al
        mov     al, [ebp + record.timer + 1]
        out     0x40, al
        mov     al, 0xfe
        out     0x21, al
        pop     eax
        ret

; Its interrupt: nothing that the stream may see.
ticked: push    eax
        mov     al, 0x20
        out     0x20, al
        pop     eax
        iret

; One entry for each vector, all of one size: the error code, 0 if the processor pushes none, then the vector.
%macro stub 1
stub%1:
        %if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17
        push    strict dword %1
        nop
        nop
        %else
        push    strict byte 0
        push    strict dword %1
        %endif
        jmp     strict near ended
%endmacro
%assign n 0
%rep VECTOR_END + 1
        stub n
%assign n n + 1
%endrep

; Stack: EDI ESI EBP ESP EBX EDX ECX EAX <- pusha; vector, error, EIP, CS, EFLAGS, of user code ESP and SS
ended:  pusha
        mov     ebp, esp
        cld
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        lea     eax, [ebp + 52]
        test    byte [ebp + 44], 3
        jz      .kernel
        mov     eax, [eax]
.kernel:
        mov     [ebp + 12], eax                 ; ESP as the stream had it
        and     dword [ebp + 48], ~FLAG_RF      ; not all set it alike

        mov     eax, [this]
        mov     eax, [eax + record.number]
        call    put_hex
        mov     esi, ebp
        mov     ecx, 13                         ; registers, vector, error, EIP, CS, EFLAGS
.word:  lodsd
        call    put_hex
        loop    .word
        mov     eax, cr2
        call    put_hex
        call    checksum
        call    put_hex
        mov     al, 10
        out     dx, al
        mov     ebp, [this]
        mov     eax, [ebp]
        add     [this], eax
        jmp     next

; EAX: checksum of data and stack. Paging off: a page may be missing. Changes EBX, ECX, ESI; EDX is the serial port's.
checksum:
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        mov     esi, MEMORY
        mov     ecx, MEMORY_BYTES / 4
        xor     ebx, ebx
.word:  lodsd
        rol     ebx, 5
        xor     ebx, eax
        imul    ebx, ebx, 0x01000193
        loop    .word
        mov     eax, ebx
        ret

; EAX as eight digits and a space to the serial port. Changes EDX.
put_hex:
        push    ecx
        push    eax
        mov     edx, 0x3f8
        mov     ecx, 8
.digit: rol     eax, 4
        push    eax
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69
        das
        out     dx, al
        pop     eax
        loop    .digit
        mov     al, ' '
        out     dx, al
        pop     eax
        pop     ecx
        ret
