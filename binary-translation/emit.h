/* Emitters: one small function for each host instruction that the translator writes. All addresses of the monitor's own
 * data are absolute, through GS for writing (the monitor's flat data segment) and through CS, which is readable and
 * flat too, for reading where GS may hold a segment of the guest's. None of these touches the flags unless it says so. */
#ifndef EMIT_H
#define EMIT_H

#include <stdint.h>
#include <string.h>

#include "decode.h"
#include "vcpu.h"

struct emitter {
    uint8_t *at;                /* where the next byte is written */
    uint32_t address;           /* where it will run */
};

enum { PREFIX_ES = 0x26, PREFIX_CS = 0x2e, PREFIX_SS = 0x36, PREFIX_DS = 0x3e, PREFIX_FS = 0x64, PREFIX_GS = 0x65,
       PREFIX_OPSIZE = 0x66, PREFIX_ADDRSIZE = 0x67 };
enum { JCC_LONG = 0x80, JCC_Z = 4, JCC_NZ = 5 };

static inline void emit1(struct emitter *e, unsigned byte)
{
    *e->at++ = (uint8_t)byte;
    e->address++;
}

static inline void emit4(struct emitter *e, uint32_t word)
{
    memcpy(e->at, &word, 4);
    e->at += 4;
    e->address += 4;
}

static inline void emit_bytes(struct emitter *e, const uint8_t *bytes, unsigned n)
{
    memcpy(e->at, bytes, n);
    e->at += n;
    e->address += n;
}

/* ModRM for an absolute address (Intel SDM vol. 2A table 2-2). */
static inline void emit_absolute(struct emitter *e, unsigned reg, uint32_t address)
{
    emit1(e, reg << 3 | 5);
    emit4(e, address);
}

/* mov gs:[address], reg */
static inline void emit_store(struct emitter *e, uint32_t address, unsigned reg)
{
    emit1(e, PREFIX_GS), emit1(e, 0x89), emit_absolute(e, reg, address);
}

/* mov gs:[address], reg8: AL CL DL BL AH CH DH BH */
static inline void emit_store8(struct emitter *e, uint32_t address, unsigned reg8)
{
    emit1(e, PREFIX_GS), emit1(e, 0x88), emit_absolute(e, reg8, address);
}

/* mov byte gs:[address], value */
static inline void emit_store8_imm(struct emitter *e, uint32_t address, unsigned value)
{
    emit1(e, PREFIX_GS), emit1(e, 0xc6), emit_absolute(e, 0, address), emit1(e, value);
}

/* mov dword gs:[address], value */
static inline void emit_store_imm(struct emitter *e, uint32_t address, uint32_t value)
{
    emit1(e, PREFIX_GS), emit1(e, 0xc7), emit_absolute(e, 0, address), emit4(e, value);
}

/* mov reg, cs:[address] */
static inline void emit_load(struct emitter *e, unsigned reg, uint32_t address)
{
    emit1(e, PREFIX_CS), emit1(e, 0x8b), emit_absolute(e, reg, address);
}

/* movzx reg, word cs:[address] */
static inline void emit_load16(struct emitter *e, unsigned reg, uint32_t address)
{
    emit1(e, PREFIX_CS), emit1(e, 0x0f), emit1(e, 0xb7), emit_absolute(e, reg, address);
}

/* mov gs, cs:[address] */
static inline void emit_load_gs(struct emitter *e, uint32_t address)
{
    emit1(e, PREFIX_CS), emit1(e, 0x8e), emit_absolute(e, GS, address);
}

/* mov to, from */
static inline void emit_mov(struct emitter *e, unsigned to, unsigned from)
{
    emit1(e, 0x89), emit1(e, 0xc0 | from << 3 | to);
}

/* lea reg, [reg + by] */
static inline void emit_add(struct emitter *e, unsigned reg, uint32_t by)
{
    emit1(e, 0x8d), emit1(e, 0x80 | reg << 3 | reg);
    if (reg == ESP)
        emit1(e, 0x24);         /* SIB: base ESP, no index */
    emit4(e, by);
}

/* mov reg, [esp] */
static inline void emit_load_top(struct emitter *e, unsigned reg)
{
    emit1(e, 0x8b), emit1(e, reg << 3 | 4), emit1(e, 0x24);
}

/* mov [esp], reg */
static inline void emit_store_top(struct emitter *e, unsigned reg)
{
    emit1(e, 0x89), emit1(e, reg << 3 | 4), emit1(e, 0x24);
}

/* movzx reg, byte cs:[address] */
static inline void emit_load8(struct emitter *e, unsigned reg, uint32_t address)
{
    emit1(e, PREFIX_CS), emit1(e, 0x0f), emit1(e, 0xb6), emit_absolute(e, reg, address);
}

/* pop reg */
static inline void emit_pop(struct emitter *e, unsigned reg) { emit1(e, 0x58 | reg); }

/* push value */
static inline void emit_push_imm(struct emitter *e, uint32_t value)
{
    emit1(e, 0x68), emit4(e, value);
}

/* jmp target, jcc target; both return the address of their relative field, for patching. */
static inline uint32_t emit_jmp(struct emitter *e, uint32_t target)
{
    emit1(e, 0xe9), emit4(e, target - (e->address + 4));
    return e->address - 4;
}

static inline uint32_t emit_jcc(struct emitter *e, unsigned condition, uint32_t target)
{
    emit1(e, 0x0f), emit1(e, JCC_LONG | condition), emit4(e, target - (e->address + 4));
    return e->address - 4;
}

/* jecxz over the next `bytes` bytes */
static inline void emit_jecxz(struct emitter *e, unsigned bytes)
{
    emit1(e, 0xe3), emit1(e, bytes);
}

/* jecxz, or jcxz for an address size of 2; jcc: both short and forward. The byte before what they return says how far. */
static inline uint8_t *emit_jcxz(struct emitter *e, unsigned addrsize)
{
    if (addrsize == 2)
        emit1(e, PREFIX_ADDRSIZE);
    emit_jecxz(e, 0);
    return e->at;
}

static inline uint8_t *emit_jcc_short(struct emitter *e, unsigned condition)
{
    emit1(e, 0x70 | condition), emit1(e, 0);
    return e->at;
}

/* lea reg, [reg - 1], of 2 or 4 bytes */
static inline void emit_decrement(struct emitter *e, unsigned reg, unsigned bytes)
{
    if (bytes == 2)
        emit1(e, PREFIX_OPSIZE);
    emit_add(e, reg, -1u);
}

/* opcode with `reg` and a memory operand of the guest's, `further` bytes on. `prefix`: 0x66 or 0; `opcode`: one byte, or
 * 0x0fxx. The operand's segment must not be CS, FS or GS, its address size 32 bits. */
void emit_memory(struct emitter *e, unsigned prefix, unsigned opcode, unsigned reg, const struct operand *op,
                 unsigned further);

#endif
