; The kernel's nanobenchmarks: loops with one operation a turn, and handlers that do nothing but return.
;   void bench_NAME(uint32_t n, void *place);   n >= 1 turns; EDX = place, what it is stands in bench.c
; bench_null is the loop's own cost. bench.c measures them; nano-user.asm has those of ring 3.
%include "ops.inc"

bits 32
section .text

%macro nano 1-2+
global bench_%1
align 32
bench_%1:
    push edi
    push ebx
    mov edi, [esp + 12]
    mov edx, [esp + 16]
    mov ebx, edx
    xor eax, eax
    jmp .turn
align 16
.turn:
    %2
%endmacro
%macro again 0
    dec edi
    jnz .turn
    pop ebx
    pop edi
    ret
%endmacro

nano null
    again

nano cli_sti, op_sti          ; interrupts are off around the loop, and no line is open
    op_cli
    again

nano pushf_popf, op_pushf
    op_popf
    again

nano in, in al, dx
    again

nano out, out dx, al
    again

nano sidt, sidt [edx]
    again

nano mov_from_cr0, mov eax, cr0
    again

nano mov_to_cr3, op_load_cr3 edx
    again

nano invlpg, op_flush_page edx
    again

nano callret, call empty
    again

nano callind, call edx
    again

%ifdef HAVE_HYPERCALL
nano hypercall, call HYPERCALL_ENTRY(HC_VERSION)
    again
%endif

nano cpuid, xor eax, eax
    cpuid
    again

nano int_iret, int 0x44
    again

nano divzero, div eax           ; 2 bytes; EAX is 0
    again

nano pgfault, mov al, [edx]     ; 2 bytes; nothing is there
    again

; place: {address of the entry, the linear address, bits to flip}
nano ptemod, mov eax, [ebx]
    mov ecx, [eax]
    xor ecx, [ebx + 8]
    op_set_page [ebx + 4], eax, ecx
    mov ecx, [ebx + 4]
    mov al, [ecx]
    again

; place: a page that holds `mov al, imm8; ret`
nano smc, inc byte [edx + 1]
    call edx
    again

global empty
align 32
empty:
    ret

; Gates for the three above.
global bench_iret, bench_skip, bench_skip_error
bench_skip_error:
    add esp, 4
bench_skip:
    add dword [esp], 2
bench_iret:
    iret_to

section .note.GNU-stack noalloc noexec nowrite progbits
