/* See fixture.h. */
#include "fixture.h"

#include <string.h>

#include "emulate.h"
#include "pc.h"

struct machine pc;

char com1_output[64];

static uint8_t ram[RAM_BYTES];
static unsigned com1_count;

static uint64_t host_now(void *ctx)
{
    (void)ctx;
    return 0;
}

static void host_put(void *ctx, uint8_t byte)
{
    (void)ctx;
    ck_assert_uint_lt(com1_count, sizeof com1_output - 1);
    com1_output[com1_count++] = (char)byte;
}

static int host_get(void *ctx)
{
    (void)ctx;
    return -1;
}

void poke(uint32_t gpa, uint32_t value)
{
    memcpy(ram + gpa, &value, 4);
}

uint32_t peek(uint32_t gpa)
{
    uint32_t value;

    memcpy(&value, ram + gpa, 4);
    return value;
}

uint32_t stack_word(unsigned n)
{
    return peek(pc.cpu.seg[SS].base + pc.cpu.gpr[ESP] + 4 * n);
}

static uint32_t descriptor_at(uint16_t selector)
{
    return (selector & 4 ? LDT_AT : GDT_AT) + (selector & ~7u);
}

void set_descriptor(uint16_t selector, uint32_t base, uint32_t limit, unsigned attr)
{
    uint32_t at = descriptor_at(selector);

    poke(at, (limit & 0xffff) | base << 16);
    poke(at + 4, (base >> 16 & 0xff) | (attr & 0xff) << 8 | (limit & 0xf0000) | (attr & 0xf00) << 12 |
                 (base & 0xff000000));
}

unsigned descriptor_byte5(uint16_t selector)
{
    return ram[descriptor_at(selector) + 5];
}

void set_gate(uint32_t at, uint16_t selector, uint32_t offset, unsigned attr, unsigned parameters)
{
    poke(at, (offset & 0xffff) | (uint32_t)selector << 16);
    poke(at + 4, (offset & 0xffff0000) | attr << 8 | parameters);
}

uint32_t handler_of(unsigned vector)
{
    return HANDLERS_AT + 16 * vector;
}

static void set_tables(void)
{
    set_descriptor(KCODE, 0, 0xfffff, A_CODE | A_FLAT);
    set_descriptor(KDATA, 0, 0xfffff, A_DATA | A_FLAT);
    set_descriptor(UCODE, 0, 0xfffff, A_CODE | A_DPL3 | A_FLAT);
    set_descriptor(UDATA, 0, 0xfffff, A_DATA | A_DPL3 | A_FLAT);
    set_descriptor(TSS_SEL, TSS_AT, TSS_LIMIT, 0x8b);
    set_descriptor(LDT_SEL, LDT_AT, 0x3f, 0x82);
    for (unsigned v = 0; v < 256; v++)
        set_gate(IDT_AT + 8 * v, KCODE, handler_of(v), 0x8e, 0);
    poke(TSS_AT + 4, KERNEL_STACK);
    poke(TSS_AT + 8, KDATA);
    poke(TSS_AT + 100, IO_BITMAP << 16);
    memset(ram + TSS_AT + IO_BITMAP, 0xff, TSS_LIMIT + 1 - IO_BITMAP);
}

void fixture_setup(void)
{
    struct bus_host host = { host_now, host_put, host_get, NULL };

    memset(&pc, 0, sizeof pc);
    memset(ram, 0, sizeof ram);
    memset(com1_output, 0, sizeof com1_output);
    com1_count = 0;
    pc.mem = (struct memory){ .ram = ram, .bytes = sizeof ram };
    bus_init(&pc.bus, host);
    set_tables();
    vcpu_reset(&pc.cpu, CODE_AT, 0);
    pc.cpu.gpr[ESP] = KERNEL_STACK;
    pc.cpu.gdtr = (struct table_register){ GDT_AT, GDT_ENTRIES * 8 - 1 };
    pc.cpu.idtr = (struct table_register){ IDT_AT, 256 * 8 - 1 };
    pc.cpu.tr = (struct segment){ TSS_SEL, ATTR_PRESENT | SYS_TSS_BUSY, TSS_AT, TSS_LIMIT };
    pc.cpu.ldtr = (struct segment){ LDT_SEL, ATTR_PRESENT | SYS_LDT, LDT_AT, 0x3f };
}

void fixture_user(unsigned iopl)
{
    static const enum segreg data[] = { ES, SS, DS, FS, GS };
    struct vcpu *cpu = &pc.cpu;

    cpu->seg[CS].selector = UCODE;
    cpu->seg[CS].attr |= A_DPL3;
    for (int i = 0; i < 5; i++) {
        cpu->seg[data[i]].selector = UDATA;
        cpu->seg[data[i]].attr |= A_DPL3;
    }
    cpu->gpr[ESP] = USER_STACK;
    cpu->eflags = FLAG_ONE | FLAG_IF | iopl << FLAG_IOPL_SHIFT;
}

TCase *fixture_case(Suite *s, const char *name)
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, fixture_setup, NULL);
    suite_add_tcase(s, t);
    return t;
}

void paging_on(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        poke(PAGE_TABLE + 4 * i, i << 12 | PTE_P | PTE_W | PTE_U);
    poke(PAGE_DIR, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
    pc.cpu.cr3 = PAGE_DIR;
    pc.cpu.cr0 |= CR0_PG | CR0_WP;
}

void set_pte(uint32_t gla, uint32_t pte)
{
    poke(PAGE_TABLE + 4 * (gla >> 12), pte);
}

uint32_t get_pte(uint32_t gla)
{
    return peek(PAGE_TABLE + 4 * (gla >> 12));
}

bool run_here(void)
{
    struct insn insn;

    return decode_at_eip(&pc, &insn) && emulate(&pc, &insn);
}

bool run_bytes(const void *bytes, size_t n)
{
    memcpy(ram + pc.cpu.seg[CS].base + pc.cpu.eip, bytes, n);
    return run_here();
}

void expect_fault(bool ok, unsigned vector, int error, const char *what)
{
    const struct fault *f = &pc.cpu.fault;

    ck_assert_msg(!ok, "%s: no exception, expected #%u", what, vector);
    ck_assert_msg(f->vector == vector, "%s: exception #%u(0x%x), expected #%u", what, f->vector, f->error, vector);
    ck_assert_msg(f->has_error == (error >= 0), "%s: error code %s", what, f->has_error ? "given" : "missing");
    ck_assert_msg(error < 0 || f->error == (uint32_t)error, "%s: error code 0x%x, expected 0x%x", what, f->error,
                  (unsigned)error);
}

void expect_unchanged(struct vcpu before, const char *what)
{
    before.fault = pc.cpu.fault;
    ck_assert_msg(memcmp(&before, &pc.cpu, sizeof before) == 0, "%s: the processor's state changed", what);
}

void expect_ran(bool ok, const char *what)
{
    ck_assert_msg(ok, "%s: #%u(0x%x)", what, pc.cpu.fault.vector, pc.cpu.fault.error);
}

void raise_irq0(void)
{
    static const uint8_t init[][2] = {
        { PORT_PIC1_COMMAND, 0x11 }, { PORT_PIC1_DATA, 0x20 }, { PORT_PIC1_DATA, 4 }, { PORT_PIC1_DATA, 1 },
        { PORT_PIC2_COMMAND, 0x11 }, { PORT_PIC2_DATA, 0x28 }, { PORT_PIC2_DATA, 2 }, { PORT_PIC2_DATA, 1 },
        { PORT_PIC1_DATA, 0 }, { PORT_PIC2_DATA, 0 },
    };

    for (int i = 0; i < COUNT_OF(init); i++)
        bus_out(&pc.bus, init[i][0], 1, init[i][1]);
    pic_line(&pc.bus.pic, IRQ_TIMER, true);
}
