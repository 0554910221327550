%include "guest.inc"
; The timer, which raises no interrupt here, finds POP DS half done again and again. A monitor that patches kernel code in
; place must see POP when it ends the instruction, not its own patch, whatever fault came before: here a page fault, for
; which nobody decodes. There is no IDT: INT3 taken for the guest's is the end.
main:
        mov     al, 0x34                ; counter 0: both bytes, mode 2, every 50 us
        out     0x43, al
        mov     al, 60
        out     0x40, al
        mov     al, 0
        out     0x40, al
        mov     [0x1000000], eax        ; a page that nobody has touched: the fault before
        mov     ecx, 400000
again:
        push    0x10
        mov     ebx, 0                  ; where the patch has its jump; at POP it has INT3
        pop     ds
        loop    again
        exit    5
