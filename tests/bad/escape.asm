%include "guest.inc"
; Out of the segments: a far jump to Linux's own 64-bit code segment, which ring 3 may load, and a system call from there. With
; SELECTOR (tests/wall.sh), a host address, the guest has also found the byte that turns its system calls into signals, and
; clears it: all that then stands between it and Linux is the wall.
main:
        jmp     0x33:.long
bits 64
.long:
%ifdef SELECTOR
        mov     rax, SELECTOR
        mov     byte [rax], 0
%endif
        mov     eax, 257                ; openat(AT_FDCWD, name, O_RDONLY)
        mov     edi, -100
        lea     rsi, [rel name]
        xor     edx, edx
        syscall
        mov     edi, 77                 ; it worked, or was refused: to be told by exit_group(77)
        mov     eax, 231
        syscall
name:   db      "/etc/passwd", 0
