/* Where assembly finds things: offsets into struct vcpu, struct world and Linux's ucontext_t, each checked
 * by a _Static_assert in world.c. Only `#define NAME number` lines: the Makefile makes a nasm include of them. */
#ifndef OFFSETS_H
#define OFFSETS_H

#define VCPU_EAX 0
#define VCPU_ECX 4
#define VCPU_EDX 8
#define VCPU_EBX 12
#define VCPU_ESP 16
#define VCPU_EBP 20
#define VCPU_ESI 24
#define VCPU_EDI 28
#define VCPU_EIP 32
#define VCPU_FPU 48

#define WORLD_HOST_RSP 0
#define WORLD_VCPU 8
#define WORLD_FS_BASE 16
#define WORLD_CR2 24
#define WORLD_EFLAGS 32
#define WORLD_TRAP 36
#define WORLD_ERROR 40
#define WORLD_SIGNAL 44
#define WORLD_SEG 48
#define WORLD_KICK 60
#define WORLD_DISPATCH 61
#define WORLD_FSGSBASE 62

#define UC_RDI 104
#define UC_RSI 112
#define UC_RBP 120
#define UC_RBX 128
#define UC_RDX 136
#define UC_RAX 144
#define UC_RCX 152
#define UC_RSP 160
#define UC_RIP 168
#define UC_EFLAGS 176
#define UC_CS 184
#define UC_SS 190
#define UC_ERROR 192
#define UC_TRAP 200
#define UC_CR2 216
#define UC_FPSTATE 224

#endif
