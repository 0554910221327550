; An adversary: attempts to get out of a virtual machine, one after the other or the one that `only=NAME` picks. The frame: the way into
; paging on a PC or under build/paravirt, rings, handlers, verdicts. The attempts are in segments.inc, code, memory,
; devices, long, what talks to the outside in console.inc; tests/escape.sh runs them.
%include "frame.inc"
global start
extern table, table_end

section .multiboot
        dd      MULTIBOOT_HEADER_MAGIC, 3, -(MULTIBOOT_HEADER_MAGIC + 3)
section .note.quadvisor note alloc noexec nowrite align=4
        dd      .end - .name, 12, PV_NOTE
.name:  db      "Quadvisor", 0
.end:   align   4, db 0
        dd      PV_VERSION, start_pv + PV_BASE - BASE, PV_BASE

section .data
align 8
gdt:    dq      0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0, 0, 0, 0x00cff2000000ffff, 0
        times 23 dq 0
gdt_end:
gdtr:   dw      gdt_end - gdt - 1
        dd      gdt
idtr:   dw      256 * 8 - 1
        dd      idt
said_try: db    "TRY ", 0
said_probe: db  "PROBE escape-", 0
said_pass: db   " PASS held #", 0
said_fail: db   " FAIL want=0 got=1 reached #", 0
said_sanity: db " FAIL want=0 got=1 the machine is not what it was #", 0
said_done: db   "DONE 0 0", 10, 0

section .bss nobits alloc noexec write align=4096
align 8
idt:    resd    512
tss:    resd    26
current: resd   1                       ; row of the table
resume: resd    1                       ; where to go on after a fault; 0: the attempt has ended
faults: resd    1
ticks:  resd    1                       ; TICKS_MAX of them are enough
vector: resd    1
stepping: resd  1                       ; #DB comes back
goal:   resd    1
verdict: resd   1
ended_by: resd  1                       ; vector
pv:     resd    1
        resb    4096
stack_top:
        resb    4096
user_stack_top:

%macro fill_tables 0                            ; EBP: where physical 0 is. The first 64 KiB stay unmapped (guests/README.md)
        cld
        xor     eax, eax
        lea     edi, [ebp + DIR]
        mov     ecx, BASE >> 22
        rep stosd
        mov     dword [edi], DIR + 0x1007
        mov     dword [edi + 4], DIR + 0x2007
        add     edi, 8
        mov     ecx, 1022 - (BASE >> 22)
        rep stosd
%%page:  xor     edx, edx
        cmp     eax, 0x10000
        jb      %%store
        lea     edx, [eax + 7]
        cmp     eax, SECRET - BASE
        jne     %%store
        and     edx, ~4
%%store: mov     [edi], edx
        add     edi, 4
        add     eax, 0x1000
        cmp     eax, 0x400000
        jb      %%page
        lea     edi, [ebp + DIR + 0x2000]
        mov     ecx, 2 * 1024
        xor     eax, eax
        rep stosd
        mov     dword [ebp + DIR + 0x2000], FRAME + 7
        mov     dword [ebp + DIR + 0x3000], SECRET - BASE + 3
        mov     dword [ebp + DIR + (KERNELS >> 20)], DIR + 0x3003
        mov     dword [ebp + DIR], DIR + 0x1007         ; until the jump
%endmacro

section .boot progbits alloc exec nowrite align=4096           ; a page of its own, which runs at its physical address
start:  mov     eax, [ebx + 16]
        add     eax, BASE
        mov     [command_line - BASE], eax
        mov     esp, stack_top - BASE
        xor     ebp, ebp
        fill_tables
        mov     eax, 0x10               ; PSE
        mov     cr4, eax
        mov     eax, DIR
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        mov     eax, main
        jmp     eax

section .text
; build/paravirt gives ring 3 nothing above its base, so all is mapped once more, where a PC has it.
%macro set_entry 2                              ; physical address of a page-table entry, value
        push    %2
        push    %1
        mov     ebx, esp
        mov     ecx, 1
        xor     edx, edx
        hyper   HC_MMU_UPDATE
        add     esp, 8
%endmacro
start_pv:
        mov     esp, stack_top + PV_BASE - BASE
        mov     dword [pv + PV_BASE - BASE], 1
        mov     eax, [esi + 12]
        mov     [command_line + PV_BASE - BASE], eax
        mov     ebp, [esi + 4]                  ; the directory
        sub     ebp, PV_BASE
        add     ebp, BASE >> 20
        mov     edi, DIR + 0x1000
.table: lea     ebx, [edi + PV_BASE]
        lea     ecx, [edi + 1]
        xor     edx, edx
        hyper   HC_UPDATE_VA_MAPPING            ; read-only, as a table must be
        lea     eax, [edi + 7]
        set_entry ebp, eax
        add     ebp, 4
        add     edi, 0x1000
        cmp     edi, DIR + 0x3000
        jb      .table
        mov     edi, 0x100000
.page:  mov     esi, edi
        shr     esi, 10
        add     esi, DIR + 0x1000
        lea     eax, [edi + 7]
        cmp     edi, SECRET - BASE
        jne     .set
        and     al, ~4
.set:   set_entry esi, eax                      ; a page table of today stays away
        add     edi, 0x1000
        cmp     edi, DIR
        jb      .page
        set_entry DIR + 0x2000, FRAME + 7
        mov     eax, main
        jmp     eax

main:   mov     esp, stack_top
        call    options
        imul    esi, [first], 12
        add     esi, table
next:   cmp     esi, table_end
        jae     finished
        mov     [current], esi
        mov     eax, [only]
        test    eax, eax
        jz      .class
        call    is_named
        jne     .skip
.class: mov     eax, [esi + 8]
        cmp     dword [pv], 0
        jne     .paravirtual
        test    al, PV
        jmp     .tested
.paravirtual:
        test    al, RAW
.tested:
        jnz     .skip
        cmp     dword [only], 0
        jne     .go
        test    al, ALONE
        jnz     .skip
.go:    call    machine
        mov     ebx, said_try
        call    print
        call    print_name
        mov     al, 10
        call    putc
        xor     eax, eax
        mov     [resume], eax
        mov     [faults], eax
        mov     [ticks], eax
        mov     [stepping], eax
        mov     eax, [esi + 4]
        mov     dword [goal], door      ; by way of the page where 64-bit code is: so the VMM has seen it
        jmp     enter_ring
.skip:  add     esi, 12
        jmp     next

; To [goal], in the ring of the attempt, with a stack as new and all registers.
enter_ring:
        mov     esp, stack_top
        push    2
        popfd
        push    eax
        mov     eax, [current]
        test    byte [eax + 8], 3
        jnz     .user
        pop     eax
        jmp     [goal]
.user:  mov     eax, UDATA
        mov     ds, eax
        mov     es, eax
        pop     eax
        push    UDATA
        push    user_stack_top
        push    FLAG_IF | 2             ; with IF = 0 build/binary-translation would translate it
        push    UCODE
        push    dword [goal]
        iret

finished:
        mov     ebx, said_done
        call    print
end:    mov     al, [verdict]
        out     PORT_DEBUG_EXIT, al
        jmp     $

; ---- the machine, before each attempt as if nothing had been -----------------------------------------------------------------
page_tables:
        fill_tables
        ret

machine:
        push    esi
        mov     edi, gdt + 0x48
        mov     ecx, (gdt_end - gdt - 0x48) / 4
        xor     eax, eax
        cld
        rep stosd
        cmp     dword [pv], 0
        jne     .paravirtual
        mov     ebp, BASE
        call    page_tables
        mov     dword [BASE + DIR], 0
        mov     eax, DIR
        mov     cr3, eax
        xor     eax, eax
        mov     dr7, eax
        lgdt    [gdtr]
        lldt    ax
        lidt    [idtr]
        mov     edi, idt
        mov     eax, stubs
.gate:  mov     [edi], eax
        mov     word [edi + 2], KCODE
        mov     [edi + 4], eax
        mov     word [edi + 4], 0xee00
        add     edi, 8
        add     eax, 16
        cmp     edi, idt + 256 * 8
        jb      .gate
        mov     eax, tss
        mov     dword [gdt + TSS], 0x67
        mov     [gdt + TSS + 2], ax
        shr     eax, 16
        mov     [gdt + TSS + 4], al
        mov     [gdt + TSS + 7], ah
        mov     byte [gdt + TSS + 5], 0x89
        mov     dword [tss + 4], stack_top
        mov     dword [tss + 8], KDATA
        mov     word [tss + 0x66], 0x68                 ; no I/O map
        mov     eax, TSS
        ltr     ax
%macro port 2
        mov     al, %2
        out     %1, al
%endmacro
        port    PORT_PIC1_COMMAND, 0x11
        port    PORT_PIC1_DATA, 0x20
        port    PORT_PIC1_DATA, 4
        port    PORT_PIC1_DATA, 1
        port    PORT_PIC1_DATA, 0xff
        jmp     .segments
.paravirtual:
        mov     edi, SCRATCH
        xor     eax, eax
        mov     ecx, stubs
.row:   mov     [edi], al                               ; struct pv_trap
        mov     byte [edi + 1], PV_TRAP_MASKS | 3
        mov     word [edi + 2], KCODE
        mov     [edi + 4], ecx
        add     edi, 8
        add     ecx, 16
        inc     eax
        cmp     eax, 256
        jb      .row
        mov     ebx, SCRATCH
        mov     ecx, 256
        hyper   HC_SET_TRAP_TABLE
        mov     ebx, gdt
        mov     ecx, (gdt_end - gdt) / 8
        hyper   HC_SET_GDT
        mov     ebx, KDATA
        mov     ecx, stack_top
        hyper   HC_STACK_SWITCH
.segments:
        mov     eax, KDATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     ecx, ecx
        mov     fs, ecx
        mov     gs, ecx
        mov     eax, KERNELS                            ; so that it is mapped, for whoever gets around the segments
        cmp     dword [pv], 0
        je      .touch
        mov     eax, PV_KERNELS
.touch: mov     eax, [eax]
        pop     esi
        ret

; ---- handlers ----------------------------------------------------------------------------------------------------------------
align 16
stubs:
%assign n 0
%rep 256
    %if n != 8 && (n < 10 || n > 14) && n != 17
        push    byte 0
    %endif
        push    dword n
        jmp     near entered
        align   16
    %assign n n + 1
%endrep

; On the stack: vector, error code, EIP, CS, EFLAGS, perhaps ESP, SS.
entered: cld
        push    eax
        mov     eax, KDATA
        mov     ds, eax
        mov     es, eax
        mov     eax, [esp + 4]
        mov     [vector], eax
        cmp     eax, 1
        jne     .other
        cmp     dword [stepping], 0
        je      .fault
        dec     dword [stepping]
        jnz     .back
        and     dword [esp + 20], ~FLAG_TF
        jmp     .back
.other: cmp     eax, 0x41
        je      verdict_held
        cmp     eax, 0x42
        je      verdict_reached
        cmp     eax, 0x43                               ; of sanity
        je      .back
        sub     eax, 0x20
        cmp     eax, 0x10
        jae     .fault
        inc     dword [ticks]
        cmp     dword [ticks], TICKS_MAX
        je      verdict_held
        cmp     dword [pv], 0
        jne     .event
        port    PORT_PIC1_COMMAND, 0x20
        jmp     .back
.event: pushad
        mov     ebx, PV_EVENT_ACK
        xor     ecx, ecx
        hyper   HC_EVENT
        popad
.back:  pop     eax
        add     esp, 8
        iret
.fault: inc     dword [faults]
        xor     eax, eax
        xchg    eax, [resume]
        mov     [goal], eax
        test    eax, eax
        pop     eax
        jnz     enter_ring

; ---- verdicts ----------------------------------------------------------------------------------------------------------------
verdict_held:
        mov     ebx, said_pass
        jmp     verdict_is
verdict_reached:
        mov     ebx, said_fail
verdict_is:
        mov     esp, stack_top - 64         ; a resumed attempt begins above
        mov     eax, [vector]
        mov     [ended_by], eax
        push    ebx
        mov     eax, KDATA
        mov     ss, eax
        xor     ecx, ecx
        mov     fs, ecx
        mov     gs, ecx
        call    sanity
        pop     ecx
        je      .sane
        mov     ecx, said_sanity
.sane:  cmp     ecx, said_pass
        setne   al
        or      [verdict], al
        mov     ebx, said_probe
        call    print
        mov     esi, [current]
        call    print_name
        mov     ebx, ecx
        call    print
        mov     eax, [ended_by]
        shr     eax, 4
        call    digit
        mov     eax, [ended_by]
        call    digit
        mov     al, 10
        call    putc
        cmp     dword [only], 0
        jne     end
        add     esi, 12
        jmp     next

; Does the VMM still know this machine? A fault in ring 0: its vector and address; an interrupt there and back. ZF: yes.
sanity: mov     dword [faults], 0
        mov     ebx, [current]
        push    dword [ebx + 8]
        and     dword [ebx + 8], ~3                     ; the fault comes back in ring 0, on a stack as new:
        mov     [saved_esp], esp
        mov     dword [resume], .back
        mov     eax, [NOWHERE]
.back:  mov     esp, [saved_esp]
        mov     ebx, [current]
        pop     dword [ebx + 8]
        call    last_cr2
        cmp     eax, NOWHERE
        jne     .end
        cmp     dword [vector], 14
        jne     .end
        mov     eax, 0x600d
        int     0x43
        cmp     eax, 0x600d
        jne     .end
        cmp     dword [vector], 0x43
.end:   ret
last_cr2:
        cmp     dword [pv], 0
        jne     .shared
        mov     eax, cr2
        ret
.shared:
        mov     eax, [PV_CR2]
        ret

section .bss
saved_esp: resd 1
section .text

%include "console.inc"
%include "segments.inc"
%include "code.inc"
%include "memory.inc"
%include "devices.inc"
%include "long.inc"
