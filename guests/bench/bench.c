/* `run=bench only=NAME,NAME samples=N cycles=N`: what each operation of a kernel costs, after Adams and Agesen
 * (ASPLOS 2006) and kvm-unit-tests' vmexit. A loop scales itself to `cycles` time-stamp cycles; the same turns of
 * the null loop, measured right before, are taken off. The loops are in bench.asm. */
#include "kernel.h"
#include "ops.h"
#include "pc.h"

enum { PAGE_THERE = 0x00400000, PAGE_ABSENT = 0x00401000, ENTRIES = 64, FIRST_ENTRY = 256 };
enum { VEC_DE = 0, VEC_OWN = 0x44, PORT = PORT_COM1 + 7 };

typedef void loop(uint32_t n, void *place);
loop bench_null, bench_cli_sti, bench_pushf_popf, bench_in, bench_out, bench_sidt, bench_mov_from_cr0,
    bench_mov_to_cr3, bench_invlpg, bench_callret, bench_callind, bench_int_iret, bench_divzero, bench_pgfault,
    bench_ptemod, bench_cpuid, bench_smc;
loop bench_hypercall __attribute__((weak));     /* of kernel-pv.elf */
void empty(void), bench_iret(void), bench_skip(void), bench_skip_error(void);

static void ptes_one_by_one(uint32_t n, void *unused);
static void ptes_64_at_a_time(uint32_t n, void *unused);

static uint8_t buffer[8];
static uint8_t code[PAGE] __attribute__((aligned(4096))) = { 0xb0, 0, 0xc3 };    /* mov al, imm8; ret */
static struct { uint32_t *pte; uint32_t va, flip; } ptemod;

static const struct { const char *name; loop *run; void *place; } benches[] = {
    { "null", bench_null, NULL },
    { "cli-sti", bench_cli_sti, NULL },
    { "pushf-popf", bench_pushf_popf, NULL },
    { "in", bench_in, (void *)PORT },           /* the UART's scratch register: a device that does nothing */
    { "out", bench_out, (void *)PORT },
    { "sidt", bench_sidt, buffer },
    { "mov-from-cr0", bench_mov_from_cr0, NULL },
    { "mov-to-cr3", bench_mov_to_cr3, NULL },
    { "invlpg", bench_invlpg, (void *)PAGE_THERE },
    { "callret", bench_callret, NULL },
    { "callind", bench_callind, (void *)empty },
    { "int-iret", bench_int_iret, NULL },
    { "divzero", bench_divzero, NULL },
    { "pgfault", bench_pgfault, (void *)PAGE_ABSENT },
    { "ptemod", bench_ptemod, &ptemod },
    { "pte-update", ptes_one_by_one, NULL },
    { "pte-update-64", ptes_64_at_a_time, NULL },
    { "hypercall", bench_hypercall, NULL },
    { "cpuid", bench_cpuid, NULL },
    { "smc", bench_smc, code },
};

static uint32_t cycles_of(loop *run, uint32_t n, void *place)
{
    uint32_t start = (uint32_t)__builtin_ia32_rdtsc();
    run(n, place);
    return (uint32_t)__builtin_ia32_rdtsc() - start;
}

/* Two pages that take turns at PAGE_THERE, nothing at PAGE_ABSENT, and the shortest of handlers. */
static void prepare(void)
{
    uint32_t first = page_alloc(), second = page_alloc();

    map_page(kernel_pgdir, PAGE_THERE, first, PTE_P | PTE_W | PTE_A | PTE_D);
    ptes_sync();
    ptemod.pte = pte_of(kernel_pgdir, PAGE_THERE);
    ptemod.va = PAGE_THERE;
    ptemod.flip = first ^ second;
    idt_set(VEC_DE, (uint32_t)bench_skip, 0);
    idt_set(VEC_PF, (uint32_t)bench_skip_error, 0);
    idt_set(VEC_OWN, (uint32_t)bench_iret, 0);
}

/* Entries of a table in use, of pages that nobody touches: they go from one page to the other. */
static void set_ptes(uint32_t n, unsigned batch)
{
    uint32_t *entry = ptemod.pte + FIRST_ENTRY, value = *ptemod.pte;

    ptes_batch(batch);
    while (n--) {
        set_pte(&entry[n % ENTRIES], value);
        value ^= n % ENTRIES ? 0 : ptemod.flip;
    }
    ptes_sync();
    ptes_batch(ENTRIES);
}

static void ptes_one_by_one(uint32_t n, void *unused) { (void)unused; set_ptes(n, 1); }
static void ptes_64_at_a_time(uint32_t n, void *unused) { (void)unused; set_ptes(n, ENTRIES); }

/* Is `name` one of the words between commas? */
static bool listed(const char *list, const char *name)
{
    for (;;) {
        size_t n = 0;
        while (name[n] && list[n] == name[n])
            n++;
        if (!name[n] && (!list[n] || list[n] == ','))
            return true;
        while (*list && *list != ',')
            list++;
        if (!*list++)
            return false;
    }
}

/* The loop's own cost: the least of three, for a disturbed one would take too much off. */
static uint32_t null_cycles(uint32_t n)
{
    uint32_t least = ~0u;
    for (int i = 0; i < 3; i++) {
        uint32_t took = cycles_of(bench_null, n, NULL);
        least = took < least ? took : least;
    }
    return least;
}

static void measure(const char *name, loop *run, void *place, uint32_t samples, uint32_t cycles)
{
    uint32_t fixed = option_number("iterations", 0), n = fixed ? fixed : 16;    /* fixed: for counting exits */

    while (!fixed && cycles_of(run, n, place) < cycles / 2 && n < 1u << 28)
        n *= 2;
    while (samples--) {
        uint32_t null = run == bench_null ? 0 : null_cycles(n);
        uint32_t took = cycles_of(run, n, place);
        kprintf("BENCH %s %u %u\n", name, n, took > null ? took - null : 0);
    }
}

void bench_main(void);
void bench_main(void)
{
    uint32_t samples = option_number("samples", 5), cycles = option_number("cycles", 2000000);
    const char *only = option("only");
    unsigned ran = 0;

    prepare();
    for (unsigned i = 0; i < sizeof benches / sizeof benches[0]; i++)
        if (benches[i].run && (!only || listed(only, benches[i].name))) {
            bool cr3 = benches[i].run == bench_mov_to_cr3;

            measure(benches[i].name, benches[i].run, cr3 ? (void *)virt_to_phys(kernel_pgdir) : benches[i].place, samples,
                    cycles);
            ran++;
        }
    if (!ran)
        kprintf("bench: there is no \"%s\"\n", only);
    report(0, ran == 0);
}
