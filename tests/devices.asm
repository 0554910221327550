; A guest that reads back what it writes to the devices' ports and prints what it gets: the transcript must be
; the same on QEMU and under each VMM. Nothing here depends on time. The table is all there is to read: OUT port,
; value; IN port, bits to show (some bits differ from machine to machine, or with time).
%include "guest.inc"

%define OUT     0,
%define IN      1,
%define END     2

section .data
align 4
script:
        ; 8259: initialization, masks, IRR and ISR. Bit 0 of IRR is the timer's, which QEMU's BIOS started.
        dd OUT 0x20, 0x11, OUT 0x21, 0x20, OUT 0x21, 0x04, OUT 0x21, 0x01
        dd OUT 0xa0, 0x11, OUT 0xa1, 0x28, OUT 0xa1, 0x02, OUT 0xa1, 0x01
        dd IN 0x21, 0xff, IN 0xa1, 0xff
        dd OUT 0x21, 0x5a, IN 0x21, 0xff, OUT 0xa1, 0xa5, IN 0xa1, 0xff
        dd IN 0x20, 0xfe, IN 0xa0, 0xfe
        dd OUT 0x20, 0x0b, IN 0x20, 0xff, OUT 0xa0, 0x0b, IN 0xa0, 0xff, OUT 0x20, 0x0a
        dd OUT 0x20, 0x20, OUT 0x20, 0x67, OUT 0x21, 0xff, OUT 0xa1, 0xff

        ; 16550: registers that keep what is written, divisor latch, line and modem status
        dd OUT 0x3f9, 0x00, OUT 0x3fb, 0x80, OUT 0x3f8, 0x01, OUT 0x3f9, 0x00, IN 0x3f8, 0xff, IN 0x3f9, 0xff
        dd OUT 0x3fb, 0x03, IN 0x3fb, 0xff, IN 0x3f9, 0xff, OUT 0x3ff, 0x5a, IN 0x3ff, 0xff
        dd OUT 0x3fc, 0xff, IN 0x3fc, 0xff, OUT 0x3fc, 0x03, IN 0x3fc, 0xff
        dd IN 0x3fd, 0xff, IN 0x3fe, 0xf0, IN 0x3fa, 0xff
        dd OUT 0x3f9, 0xff, IN 0x3f9, 0xff, OUT 0x3f9, 0x00

        ; the FIFO's bits
        dd OUT 0x3fa, 0x01, IN 0x3fa, 0xff, OUT 0x3fa, 0xc7, IN 0x3fa, 0xff, OUT 0x3fa, 0x00, IN 0x3fa, 0xff

        ; transmit-empty interrupt: by enabling it, gone by reading IIR, back by sending a byte
        dd OUT 0x3f9, 0x02, IN 0x20, 0xfe, IN 0x3fa, 0xff, IN 0x3fa, 0xff, IN 0x20, 0xfe
        dd OUT 0x3f8, 0x2e, IN 0x3fa, 0xff, IN 0x3fa, 0xff
        dd OUT 0x3f9, 0x02, IN 0x3fa, 0xff, OUT 0x3f9, 0x00, OUT 0x3f9, 0x02, IN 0x3fa, 0xff
        dd OUT 0x3f9, 0x00, IN 0x3fa, 0xff

        ; loopback
        dd OUT 0x3fc, 0x1f, IN 0x3fe, 0xf0, OUT 0x3fc, 0x10, IN 0x3fe, 0xf0
        dd OUT 0x3f9, 0x01, OUT 0x3f8, 0x71, IN 0x3fd, 0xff, IN 0x3fa, 0xff, IN 0x3f8, 0xff, IN 0x3fd, 0xff
        dd OUT 0x3f9, 0x00, OUT 0x3fc, 0x03

        ; 8254: status by read-back, a count that has just been loaded, low byte only
        dd OUT 0x43, 0x34, OUT 0x40, 0xff, OUT 0x40, 0xff, OUT 0x43, 0xe2, IN 0x40, 0x3f
        dd OUT 0x43, 0x36, OUT 0x40, 0xff, OUT 0x40, 0xff, OUT 0x43, 0xe2, IN 0x40, 0x3f
        dd OUT 0x43, 0x30, OUT 0x40, 0xff, OUT 0x40, 0xff, OUT 0x43, 0xe2, IN 0x40, 0xbf
        dd OUT 0x43, 0x54, OUT 0x43, 0xe4, IN 0x41, 0x3f, IN 0x43, 0xff

        ; nobody there
        dd IN 0x1234, 0xff, OUT 0x1234, 0x55, IN 0x1234, 0xff
        dd END

section .text
put:                                    ; AL to the serial port; keeps all
        push    edx
        mov     edx, 0x3f8
        out     dx, al
        pop     edx
        ret

put_hex:                                ; AL as two digits; clobbers EAX
        push    eax
        shr     al, 4
        call    .digit
        pop     eax
.digit:
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69
        das
        jmp     put

; Lines are stored first and printed at the end: printing would disturb what is tested.
main:
        mov     esi, script
        mov     edi, results
.next:
        lodsd
        cmp     eax, 1
        ja      print
        mov     ecx, eax
        lodsd
        mov     edx, eax
        lodsd
        jecxz   .out
        mov     ah, al
        in      al, dx
        and     al, ah
        mov     [edi], al
        mov     [edi + 1], dx
        add     edi, 3
        jmp     .next
.out:
        out     dx, al
        jmp     .next

print:
        mov     al, 10
        call    put
        mov     esi, results
.line:
        cmp     esi, edi
        je      .done
        mov     al, [esi + 2]
        call    put_hex
        mov     al, [esi + 1]
        call    put_hex
        mov     al, ' '
        call    put
        mov     al, [esi]
        call    put_hex
        mov     al, 10
        call    put
        add     esi, 3
        jmp     .line
.done:
        exit    0

section .bss
results: resb   1024
