; Guest code for test_direct.c, 32-bit, copied to guest-physical CODE (0x100000) before it runs. Each ends by writing to
; the exit port; the test then looks at the registers. Addresses are those of test_direct.c's page tables.

%include "pc.inc"

%macro snippet 1
        global snippet_%1, snippet_%1_end
        align 16
snippet_%1:
%endmacro
%macro done 1
        out     PORT_DEBUG_EXIT, al
snippet_%1_end:
%endmacro

section .note.GNU-stack noalloc noexec nowrite progbits
section .rodata
bits 32

snippet registers               ; all survive an exit, flags and x87 too
        mov     eax, 0x11111111
        mov     ebx, 0x22222222
        mov     ecx, 0x33333333
        mov     edx, 0x44444444
        mov     esi, 0x55555555
        mov     edi, 0x66666666
        mov     ebp, 0x77777777
        fld1
        stc
        std
        cli
        fldpi
        cli
        faddp
        fistp   dword [0x200000]
done registers

snippet int80                   ; the handler (vector 0x80) is at CODE + 0x40
        int     0x80
        mov     eax, 0xbad
        out     PORT_DEBUG_EXIT, al
        times 0x40 - ($ - snippet_int80) nop
        mov     eax, 0x80
done int80

snippet spin
        jmp     snippet_spin
done spin

snippet nowhere
        mov     eax, 0xffff0000
        jmp     eax
done nowhere

snippet beyond_ram
        mov     eax, [0x40000000]
done beyond_ram

snippet escape                  ; Linux's 64-bit code segment
        jmp     0x33:0x100007
        ud2
done escape

snippet sysenter
        sysenter
done sysenter

snippet low_page                ; below vm.mmap_min_addr
        mov     dword [0x123], 0x5a5a5a5a
        mov     eax, [0x123]
        mov     ebx, [0x200000]
done low_page

snippet unaligned               ; AC is set in the guest's kernel: no #AC at CPL 0
        pushfd
        or      dword [esp], 1 << 18
        popfd
        mov     eax, [0x200001]
        pushfd
        pop     ebx
done unaligned

snippet stepped_pushf           ; an interrupt waits behind the shadow; our trap flag must not be seen
        sti
        pushfd
        pop     eax
done stepped_pushf

; ---- ring 3, at user-linear 0x400000 (the same bytes) ----

snippet user_reads_kernel       ; #PF: error 5, CR2 = the address
        mov     eax, [0xc0000010]
done user_reads_kernel

snippet user_calls_kernel       ; #PF at the target, the return address pushed
        mov     eax, 0xc0000020
        call    eax
done user_calls_kernel

snippet user_reads_low_kernel   ; a supervisor page between user pages, mapped before by the kernel
        mov     eax, [0x402000]
done user_reads_low_kernel

snippet user_page_above         ; a user page above the kernel's
        mov     eax, [0xd0000000]
done user_page_above

snippet user_bts                ; a bit string reaches 0x40000000 bits beyond its operand, into the kernel
        mov     eax, 0x40000000
        bt      [0xb8000000], eax
done user_bts
