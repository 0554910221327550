/* The operations by what they do, size and where their operands are; compile.c picks. */
#ifndef OPS_H
#define OPS_H

#include "emulator.h"

/* First eight: as opcodes 0x00 to 0x3f number them. Then TEST, and the shifts as group 2 does. */
enum binary { BINARY_CMP = 7, BINARY_TEST = 8, BINARY_SHIFT = 9, BINARY_MOV = BINARY_SHIFT + 8, BINARY_IMUL, BINARIES };
enum unary { UNARY_INC, UNARY_DEC, UNARY_NOT, UNARY_NEG, UNARIES };
enum wide { WIDE_MUL, WIDE_IMUL, WIDE_DIV, WIDE_IDIV, WIDES };      /* group 3's of EDX:EAX */
enum extend { EXTEND_Z8, EXTEND_Z16, EXTEND_S8, EXTEND_S16, EXTENDS };

/* Register, immediate, memory: destination first. */
struct forms { action *rr, *ri, *rm, *mr, *mi; };
struct place { action *r, *m; };
struct by_condition { action *jump, *set, *set_m, *move, *move_m; };

extern const struct forms binary[BINARIES][3];          /* 8, 16, 32 bits */
extern const struct place unary[UNARIES][3], wide[WIDES], extend[EXTENDS];
extern const struct by_condition by_condition[16];
extern const struct place call_to, jump_to, push_from, multiply;

action act_sensitive, act_jump, act_call, act_return, act_push_immediate, act_pop, act_leave, act_lea, act_nop, act_cwde, act_cdq,
       act_clc, act_stc, act_cmc, act_cld, act_std, act_string, act_rare, act_rare_branch, act_fpu, act_careful, act_usual,
       act_address;

/* What ends a block that no branch ends, and what stands for an instruction that is none. */
action act_fall, act_step, act_stale, act_undefined, act_too_long;

#endif
