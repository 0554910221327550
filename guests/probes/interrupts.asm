; Interrupts: when they come and when not, in which order; and code that changes or reads itself. The UART says that
; its transmitter is empty (IRQ 4, arm_irq in entry.asm), so that almost none of this asks a clock. See probe.inc.
%include "pc.inc"
%include "probe.inc"

table interrupt_probes

; ---- when they come: Intel SDM vol. 3A 6.8 --------------------------------------------------------------
; No clock makes an interrupt pending exactly at a MOV SS: its shadow is in exceptions.asm, by single steps.
%macro window 0                             ; interrupts on for a moment
    op_sti
    nop
    nop
    op_cli
%endmacro

probe "cli-holds-interrupts", 0
    call arm_irq
    nop
    mov eax, [irqs]

probe "cli-ends-window", 0x14
    call arm_irq
    window
    call arm_irq
    mov eax, [irqs]
    shl eax, 4
    or eax, [irq_order]

probe "sti-delivers-pending", 4
    call arm_irq
    window
    mov eax, [irq_order]

probe "sti-shadow", 0                       ; one instruction later, not at once
    call arm_irq
    sti
    nop
.next:
    nop
    cli
    mov eax, [irq_eip]
    sub eax, .next

probe "sti-cli", 0                          ; CLI in the shadow: none comes
    call arm_irq
    sti
    cli
    nop
    mov eax, [irqs]

probe "sti-interrupts-while-on", 4          ; pending when interrupts are on already
    op_sti
    call arm_irq
    op_cli
    mov eax, [irq_order]

probe "hlt-wakes", 4
    call arm_irq
    op_idle
    mov eax, [irq_order]

probe "popf-no-shadow", 0                   ; what POPF opens is open at once
    call arm_irq
    push FLAG_IF | 2
    popfd
.next:
    nop
    cli
    mov eax, [irq_eip]
    sub eax, .next

probe "iret-delivers-pending", 0            ; before the first instruction behind IRET
    call arm_irq
    push FLAG_IF | 2
    push K_CODE
    push .next
    iret_to
.next:
    nop
    op_cli
    mov eax, [irq_eip]
    sub eax, .next

probe "irq-frame-if", FLAG_IF
    call arm_irq
    window
    mov eax, SEEN_EFLAGS
    and eax, FLAG_IF

probe "irq-user", U_CODE                    ; ring 3 is interrupted before it has done anything
    call arm_irq
    resume .there
    user
    inc eax
    int SOFT
    in_kernel
.there:
    mov eax, [irq_eip]

probe "irq-user-if-clear", 0                ; not even there while IF is 0
    call arm_irq
    resume .there
    user 2
    nop
    int SOFT
    in_kernel
.there:
    mov eax, [irqs]

probe "irq-user-sti-iopl-3", 3              ; STI; INC; then it comes
    call arm_irq
    resume .there
    user 2 | IOPL3
    inc ecx
    sti
    inc ecx
    nop
    int SOFT
    in_kernel
.there:
    mov eax, [irq_eip]
    sub eax, U_CODE

; ---- the interrupt controller ----------------------------------------------------------------------------------
probe "pic-mask", 0x01
    call arm_irq
    call close_irq
    window
    mov ebx, [irqs]
    shl ebx, 4
    call open_irq
    window
    mov eax, [irqs]
    or eax, ebx

probe "pic-request-register", 0x10
    call arm_irq
    mov al, 0x0a
    out PORT_PIC1_COMMAND, al
    in al, PORT_PIC1_COMMAND
    and eax, 0x10

probe "pic-service-register", 0x1000        ; in service until EOI
    mov dword [hold_eoi], 1
    call arm_irq
    window
    mov al, 0x0b
    out PORT_PIC1_COMMAND, al
    in al, PORT_PIC1_COMMAND
    mov bh, al
    mov al, 0x20
    out PORT_PIC1_COMMAND, al
    in al, PORT_PIC1_COMMAND
    mov ah, bh

probe "pic-eoi", 0x112                      ; without EOI the line is deaf
    mov dword [hold_eoi], 1
    call arm_irq
    window
    mov ebx, [irqs]
    call arm_irq
    window
    shl ebx, 4
    or ebx, [irqs]
    mov al, 0x20
    out PORT_PIC1_COMMAND, al
    window
    shl ebx, 4
    or ebx, [irqs]
    mov eax, ebx

probe "pic-priority", 0x204                 ; two came, line 0 first
    call arm_both
    window
    mov eax, [irqs]
    shl eax, 8
    or eax, [irq_order]

probe "pic-priority-in-service", 0x104      ; line 0 in service holds line 4 back
    mov dword [hold_eoi], 1
    call arm_both
    window
    mov ebx, [irqs]
    shl ebx, 8
    mov al, 0x20
    out PORT_PIC1_COMMAND, al
    window
    mov eax, [irq_order]
    or eax, ebx

probe "hlt-until-timer", 0x100              ; nothing pending: HLT waits for it
    push 512                                ; / 1,193,182 s
    call timer_once
    pop ecx
    op_idle
    mov eax, [irqs]
    shl eax, 8
    or eax, [irq_order]

probe "uart-identifies", 0x12               ; transmitter empty, then nothing
    call arm_irq
    mov dx, PORT_COM1 + 2
    in al, dx
    and eax, 0x0f
    shl eax, 3
    mov ecx, eax
    xor eax, eax
    in al, dx
    and eax, 0x0f
    xor eax, 3
    or eax, ecx

; ---- code that changes itself ----------------------------------------------------------------------------------
%define MOV_AL(value) (0x00c300b0 | (value) << 8)   ; mov al, value; ret

probe "smc-patched", 0x22
    mov dword [scratch], MOV_AL(0x11)
    mov edx, scratch
    call edx
    mov byte [scratch + 1], 0x22
    call edx

probe "smc-next-instruction", 0x22
    mov byte [.changed + 1], 0x22
.changed:
    mov al, 0x11

probe "smc-after-jump", 0x22
    mov byte [.changed + 1], 0x22
    jmp .changed
    nop
.changed:
    mov al, 0x11

probe "smc-bit", 0x22                       ; BTS reaches far beyond the operand it names
    xor eax, eax
    call .code
    mov ecx, 65 * 8 + 1
    bts dword [.code - 64], ecx             ; bit 1 of the byte behind MOV's opcode
    call .code
    jmp probe_done
.code:
    mov al, 0x20
    ret

probe "smc-loop", 55                        ; adds 1, then 2, up to 10
    mov ecx, 10
.again:
    inc byte [.changed + 2]
.changed:
    add eax, byte 0
    loop .again
    mov byte [.changed + 2], 0

probe "smc-many", 0x7f                      ; the same place rewritten again and again
    mov edx, scratch
    mov ecx, 0x80
    mov dword [scratch], MOV_AL(0xff)
.again:
    inc byte [scratch + 1]
    call edx
    loop .again

probe "smc-becomes-sensitive", VEC(SOFT)    ; NOP NOP becomes INT n
    mov dword [scratch], 0x00c39090
    mov edx, scratch
    call edx
    mov word [scratch], 0xcd | SOFT << 8
    resume .there
    call edx
.there:
    mov eax, [seen + 48]
    shl eax, 20
    or eax, VEC(0)

probe "smc-alias", 0x22                     ; written through another address of the page
    mov dword [U_DATA], MOV_AL(0x11)
    mov edx, U_DATA
    call edx
    mov ebx, [user_ptes]
    mov ebx, [ebx + 4]
    and ebx, 0xfffff000
    mov byte [ebx + KERNEL_BASE + 1], 0x22
    cpuid
    mov edx, U_DATA
    xor eax, eax
    call edx

probe "smc-remapped", 0x22                  ; another page at the code's address
    mov dword [U_DATA], MOV_AL(0x11)
    mov edx, U_DATA
    call edx
    mov ebx, [user_ptes]
    mov ecx, [ebx + 8]
    op_set_pte ebx + 4, ecx
    and ecx, 0xfffff000
    mov dword [ecx + KERNEL_BASE], MOV_AL(0x22)
    invlpg [U_DATA]
    call edx

probe "smc-user", 0x22
    user
    mov byte [U_CODE + .changed + 1 - .user], 0x22
    jmp .changed
    nop
.changed:
    mov al, 0x11

; ---- code that reads itself ------------------------------------------------------------------------------------
probe "code-reads-itself", 0x9d9cfafb       ; after it has run
.bytes:
    sti
    cli
    pushfd
    popfd
    mov eax, [.bytes]

probe "code-entered-inside", 3              ; by a jump that nobody foresees, behind an instruction that may be patched
    mov edx, .inside
    xor eax, eax
    jmp edx
    cli
    mov ecx, ecx
.inside:
    inc eax
    inc eax
    nop
    inc eax
    nop

probe "code-return-address", 0
    call .next
.next:
    pop eax
    sub eax, .next

probe "code-data-beside", 100               ; data on the page of the code that writes it
    mov ecx, 100
    mov dword [.data], 0
.again:
    inc dword [.data]
    loop .again
    mov eax, [.data]
    jmp .end
.data: dd 0
.end:

end_table
