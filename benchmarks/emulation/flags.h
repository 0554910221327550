/* The arithmetic flags, which nearly every instruction writes and few read. An instruction leaves its result, and in `aux` the
 * carries out of its bits; a flag is computed when somebody asks:
 *
 *   ZF  result is 0         SF  bit 31 of result, turned by aux bit 0       PF  parity of result ^ aux >> 8
 *   CF  aux bit 31          OF  aux bits 31 and 30 differ                   AF  aux bit 3
 *
 * Results of 8 and 16 bits are sign-extended, their carries moved up. Bits 0 and 8 serve POPF, which may ask for a flag that no
 * result has. (The idea is that of Bochs: Mihocka and Shwartsman, Virtualization Without Direct Execution, 2008.) */
#ifndef FLAGS_H
#define FLAGS_H

#include "emulator.h"

enum { AUX_SIGN = 1, AUX_AF = 1 << 3, AUX_PARITY = 1 << 8, AUX_PO = 1 << 30 };
#define AUX_CF 0x80000000u
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static inline bool flag_cf(const struct emulator *e) { return e->aux >> 31; }
static inline bool flag_zf(const struct emulator *e) { return e->result == 0; }
static inline bool flag_sf(const struct emulator *e) { return (e->result >> 31) ^ (e->aux & AUX_SIGN); }
static inline bool flag_of(const struct emulator *e) { return (e->aux ^ e->aux << 1) >> 31; }
static inline bool flag_af(const struct emulator *e) { return e->aux & AUX_AF; }
static inline bool flag_pf(const struct emulator *e)
{
    unsigned byte = (e->result ^ e->aux >> 8) & 0xff;

    byte ^= byte >> 4;
    return 0x9669 >> (byte & 15) & 1;                   /* bit n: n has an even number of ones */
}

/* A condition as Jcc, SETcc and CMOVcc number them (Intel SDM vol. 2, appendix B.1.4.7). */
static inline bool condition(const struct emulator *e, unsigned cc)
{
    bool holds;

    switch (cc >> 1) {
    case 0: holds = flag_of(e); break;
    case 1: holds = flag_cf(e); break;
    case 2: holds = flag_zf(e); break;
    case 3: holds = flag_cf(e) | flag_zf(e); break;
    case 4: holds = flag_sf(e); break;
    case 5: holds = flag_pf(e); break;
    case 6: holds = flag_sf(e) ^ flag_of(e); break;
    default: holds = flag_zf(e) | (flag_sf(e) ^ flag_of(e)); break;
    }
    return holds ^ (cc & 1);
}

static inline uint32_t flags_get(const struct emulator *e)
{
    return (flag_cf(e) ? FLAG_CF : 0) | (flag_pf(e) ? FLAG_PF : 0) | (flag_af(e) ? FLAG_AF : 0) |
           (flag_zf(e) ? FLAG_ZF : 0) | (flag_sf(e) ? FLAG_SF : 0) | (flag_of(e) ? FLAG_OF : 0);
}

static inline void flags_set(struct emulator *e, uint32_t flags)
{
    bool cf = flags & FLAG_CF, of = flags & FLAG_OF;

    e->result = flags & FLAG_ZF ? 0 : 0x100;
    e->aux = (cf ? AUX_CF : 0) | (cf != of ? AUX_PO : 0) | (flags & FLAG_AF ? AUX_AF : 0) |
             (flags & FLAG_SF ? AUX_SIGN : 0) | (flags & FLAG_PF ? 0 : AUX_PARITY);
}

static inline uint32_t sign_extended(uint32_t value, unsigned bits)
{
    return bits == 8 ? (uint32_t)(int8_t)value : bits == 16 ? (uint32_t)(int16_t)value : value;
}

/* Of a result and the carries out of its bits. */
static inline uint32_t flags_of(struct emulator *e, unsigned bits, uint32_t result, uint32_t carries)
{
    e->result = sign_extended(result, bits);
    e->aux = (carries << (32 - bits) & (AUX_CF | AUX_PO)) | (carries & AUX_AF);
    return result;
}

/* CF and OF alone, the others as they are. */
static inline void flags_cf_of(struct emulator *e, bool cf, bool of)
{
    e->aux = (e->aux & ~(AUX_CF | AUX_PO)) | (cf ? AUX_CF : 0) | (cf != of ? AUX_PO : 0);
}

/* All of a result without carries, then CF and OF. */
static inline uint32_t flags_result(struct emulator *e, unsigned bits, uint32_t result, bool cf, bool of)
{
    flags_of(e, bits, result, 0);
    flags_cf_of(e, cf, of);
    return result;
}

/* ---- what the eight of opcodes 0x00 to 0x3f do, and what is made of them ------------------------------ */

static inline uint32_t carries_of_sum(uint32_t a, uint32_t b, uint32_t sum) { return (a & b) | ((a | b) & ~sum); }
static inline uint32_t borrows_of(uint32_t a, uint32_t b, uint32_t difference) { return (~a & b) | (~(a ^ b) & difference); }

static inline uint32_t do_add(struct emulator *e, unsigned bits, uint32_t a, uint32_t b)
{
    return flags_of(e, bits, a + b, carries_of_sum(a, b, a + b));
}
static inline uint32_t do_adc(struct emulator *e, unsigned bits, uint32_t a, uint32_t b)
{
    uint32_t r = a + b + flag_cf(e);
    return flags_of(e, bits, r, carries_of_sum(a, b, r));
}
static inline uint32_t do_sub(struct emulator *e, unsigned bits, uint32_t a, uint32_t b)
{
    return flags_of(e, bits, a - b, borrows_of(a, b, a - b));
}
static inline uint32_t do_sbb(struct emulator *e, unsigned bits, uint32_t a, uint32_t b)
{
    uint32_t r = a - b - flag_cf(e);
    return flags_of(e, bits, r, borrows_of(a, b, r));
}
static inline uint32_t do_or(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { return flags_of(e, bits, a | b, 0); }
static inline uint32_t do_and(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { return flags_of(e, bits, a & b, 0); }
static inline uint32_t do_xor(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { return flags_of(e, bits, a ^ b, 0); }
static inline uint32_t do_cmp(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { return do_sub(e, bits, a, b); }
static inline uint32_t do_test(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { return do_and(e, bits, a, b); }

static inline uint32_t keep_cf(struct emulator *e, bool cf, uint32_t r)
{
    flags_cf_of(e, cf, flag_of(e));
    return r;
}
static inline uint32_t do_inc(struct emulator *e, unsigned bits, uint32_t a)
{
    bool cf = flag_cf(e);
    return keep_cf(e, cf, do_add(e, bits, a, 1));
}
static inline uint32_t do_dec(struct emulator *e, unsigned bits, uint32_t a)
{
    bool cf = flag_cf(e);
    return keep_cf(e, cf, do_sub(e, bits, a, 1));
}
static inline uint32_t do_neg(struct emulator *e, unsigned bits, uint32_t a) { return do_sub(e, bits, 0, a); }
static inline uint32_t do_not(struct emulator *e, unsigned bits, uint32_t a) { (void)e; (void)bits; return ~a; }

/* ---- shifts: counts are modulo 32, and 0 changes no flag (Intel SDM vol. 2B, SAL and RCL) -------------- */

static inline uint32_t do_shl(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = count & 31;
    uint64_t wide = (uint64_t)a << n;
    bool cf = wide >> bits & 1, top = wide >> (bits - 1) & 1;

    return n ? flags_result(e, bits, (uint32_t)wide, cf, cf != top) : a;
}
static inline uint32_t do_shr(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = count & 31;

    return n ? flags_result(e, bits, a >> n, a >> (n - 1) & 1, n == 1 && a >> (bits - 1)) : a;
}
static inline uint32_t do_sar(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = count & 31;
    int32_t s = (int32_t)sign_extended(a, bits);

    return n ? flags_result(e, bits, (uint32_t)(s >> n), s >> (n - 1) & 1, false) : a;
}
static inline uint32_t do_rol(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = count & (bits - 1);
    uint32_t r = n ? a << n | a >> (bits - n) : a;

    if (count & 31)
        flags_cf_of(e, r & 1, (r & 1) != (r >> (bits - 1) & 1));
    return r;
}
static inline uint32_t do_ror(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = count & (bits - 1);
    uint32_t r = n ? a >> n | a << (bits - n) : a;
    bool top = r >> (bits - 1) & 1;

    if (count & 31)
        flags_cf_of(e, top, top != (r >> (bits - 2) & 1));
    return r;
}
/* Through the carry, a ring of one bit more. */
static inline uint32_t do_rcl(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = (count & 31) % (bits + 1);
    uint64_t ring = (uint64_t)flag_cf(e) << bits | a, r = n ? ring << n | ring >> (bits + 1 - n) : ring;
    bool cf = r >> bits & 1;

    if (count & 31)
        flags_cf_of(e, cf, cf != (r >> (bits - 1) & 1));
    return (uint32_t)r;
}
static inline uint32_t do_rcr(struct emulator *e, unsigned bits, uint32_t a, uint32_t count)
{
    unsigned n = (count & 31) % (bits + 1);
    uint64_t ring = (uint64_t)flag_cf(e) << bits | a, r = n ? ring >> n | ring << (bits + 1 - n) : ring;

    if (count & 31)
        flags_cf_of(e, r >> bits & 1, (r >> (bits - 1) & 1) != (r >> (bits - 2) & 1));
    return (uint32_t)r;
}

/* ---- products: CF and OF if the upper half says something; the others are undefined ------------------- */

static inline uint32_t do_imul(struct emulator *e, unsigned bits, uint32_t a, uint32_t b)
{
    int64_t product = (int64_t)(int32_t)sign_extended(a, bits) * (int32_t)sign_extended(b, bits);
    bool lost = product != (int32_t)sign_extended((uint32_t)product, bits);

    return flags_result(e, bits, (uint32_t)product, lost, lost);
}

#endif
