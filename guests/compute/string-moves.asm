; The string instructions as C functions for strings.c: a compiler would call memcpy, or use SSE, or neither.
; cdecl; EAX, ECX, EDX are the callee's to change, ESI, EDI, EBX, EBP are kept; DF is clear and stays so.
bits 32
section .text
global string_fill, string_copy, string_equal, string_length

; uint8_t *string_fill(uint8_t *to, int byte, uint32_t count): returns the byte after the last
align 16
string_fill:
    push edi
    mov edi, [esp + 8]
    mov eax, [esp + 12]
    mov ecx, [esp + 16]
    rep stosb
    mov eax, edi
    pop edi
    ret

; void string_copy(void *to, const void *from, uint32_t words)
align 16
string_copy:
    push esi
    push edi
    mov edi, [esp + 12]
    mov esi, [esp + 16]
    mov ecx, [esp + 20]
    rep movsd
    pop edi
    pop esi
    ret

; bool string_equal(const void *a, const void *b, uint32_t bytes)
align 16
string_equal:
    push esi
    push edi
    mov edi, [esp + 12]
    mov esi, [esp + 16]
    mov ecx, [esp + 20]
    xor eax, eax                    ; ZF for a count of 0
    repe cmpsb
    sete al
    pop edi
    pop esi
    ret

; uint32_t string_length(const uint8_t *s)
align 16
string_length:
    push edi
    mov edi, [esp + 8]
    xor eax, eax
    mov ecx, -1
    repne scasb
    not ecx
    lea eax, [ecx - 1]
    pop edi
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
