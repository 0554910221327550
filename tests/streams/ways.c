/* The ways to run a stream. All are held to the reference: single instructions on the real processor, at ring 3,
 * sensitive ones by the emulator; it leaves a list of the states that the guest goes through. Wherever another way
 * shows the guest's state, it must be one of that list, and none may come before one that was seen
 * earlier. See stream.h. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "console.h"
#include "direct/world.h"
#include "emulate.h"
#include "emulation/emulator.h"
#include "gate.h"
#include "hole.h"
#include "segment.h"
#include "status.h"
#include "stream.h"
#include "translate.h"

const char *const way_names[WAYS] = {
    [WAY_PLAIN] = "translated", [WAY_SMALL] = "smallest cache", [WAY_STEP] = "single-stepped",
    [WAY_STORM] = "timer storm",
    [WAY_EVERYWHERE] = "stopped at every host instruction", [WAY_INTERRUPTED] = "interrupted at host instructions",
    [WAY_EMULATED] = "emulated",
};

enum { PUSHA = 0x60, ARPL = 0x63, CMPS = 0xa6 };             /* CMPS: or 0xa7 */
enum { STATES_MAX = 3000, STATE_WORDS = 10 };
enum end { END_RUNNING, END_HALT, END_FAULT, END_STOPPED, END_NEVER };
struct state { uint32_t word[STATE_WORDS]; };       /* general registers, EIP, EFLAGS */

static struct direct direct;
static struct translator translator;
static struct emulator emulator;
static struct machine *m;
static bool here;                  /* this host runs guest code */

static struct {
    struct state state[STATES_MAX];
    unsigned states;
    enum end end;
    struct vcpu cpu;
    uint8_t ram[RAM_BYTES];
    bool untrapped;                 /* something sensitive was executed that does not trap */
} reference;

static enum end end;
static unsigned at;                 /* in reference.state */
static bool failed;
static char *failure;
static size_t failure_size;
static struct rng storm, storm_begins;
static uint64_t stops;

/* ---- once ---------------------------------------------------------------------------------------- */

static uint64_t no_time(void *ctx) { (void)ctx; return 0; }
static void no_output(void *ctx, uint8_t byte) { (void)ctx; (void)byte; }
static int no_input(void *ctx) { (void)ctx; return -1; }

const char *ways_init(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    const char *why = emulator_init(&emulator, RAM_BYTES);

    if (!why && mmap(HOLE, sizeof *HOLE, PROT_READ | PROT_WRITE, flags, -1, 0) != HOLE)
        why = "the top of the process's first 4 GiB is in use";
    m = &HOLE->vm.machine;
    translator.user_too = true;
    if (!why)
        why = direct_init(&direct, m, RAM_BYTES);
    if (!why)
        why = translator_init(&translator, &direct, CACHE_BYTES_DEFAULT);
    here = !why;
    if (!here)
        m = &emulator.vm.machine;
    bus_init(&m->bus, (struct bus_host){ no_time, no_output, no_input, NULL });
    return why;
}

/* ---- states -------------------------------------------------------------------------------------- */

static struct state state_of(const struct vcpu *cpu)
{
    struct state s;

    memcpy(s.word, cpu->gpr, sizeof cpu->gpr);
    s.word[8] = cpu->eip;
    s.word[9] = cpu->eflags & ~(uint32_t)FLAG_RF;  /* it lasts for one instruction, and no stream has breakpoints */
    return s;
}

/* Between the turns of a repeated CMPS or SCAS processors show the flags from before the first one, the translator's
 * single steps those of the turn. Neither matters to what follows: the last turn writes them all. */
static bool same(const struct state *list, unsigned i, const struct state *s)
{
    bool midway = i > 0 && list[i].word[8] == list[i - 1].word[8];
    uint32_t ignored = midway ? FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF : 0;

    return memcmp(&list[i], s, 9 * sizeof *s->word) == 0 && ((list[i].word[9] ^ s->word[9]) & ~ignored) == 0;
}

static void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list list;

    if (failed)
        return;
    failed = true;
    va_start(list, format);
    vsnprintf(failure, failure_size, format, list);
    va_end(list);
}

static void fail_state(const char *where, const struct state *got)
{
    static const char *const names[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags" };
    const struct state *want = &reference.state[at];
    char text[600];
    int n = 0;

    /* The state that is meant is most often the next one with the same EIP. */
    for (unsigned i = at; i < reference.states; i++)
        if (reference.state[i].word[8] == got->word[8]) {
            want = &reference.state[i];
            break;
        }
    for (int k = 0; k < STATE_WORDS; k++)
        if (want->word[k] != got->word[k])
            n += snprintf(text + n, sizeof text - (size_t)n, " %s %08x, not %08x;", names[k], got->word[k],
                          want->word[k]);
    fail("%s, step %u, at eip %08x:%s", where, at, got->word[8], text);
}

/* Is the guest's present state one that comes next, or has been reached? */
static void follow(const char *where)
{
    struct state now = state_of(&m->cpu);

    for (unsigned i = at; i < reference.states; i++)
        if (same(reference.state, i, &now)) {
            at = i;
            return;
        }
    fail_state(where, &now);
}

/* ---- beginning and ending ------------------------------------------------------------------------ */

static void empty_translator(uint32_t cache_bytes)
{
    struct cache *c = &translator.cache;

    shadow_flush_all(&direct.shadow);
    direct.shadow.window = 0;
    direct.shadow.cut_given_up = false;
    if (direct.segments.refused) {
        segments_reset(&direct.segments, 0);
        direct.selected_end = 0;
    }
    cache_flush(c);
    memset(c->context, 0, sizeof c->context);
    memset(m->mem.sealed, 0, RAM_BYTES >> 12);
    memset(c->frame_writes, 0, RAM_BYTES >> 12);
    c->bytes = cache_bytes;
    cache_flush(c);
    translator.spy = NULL;
    translator.open = translator.want_fpu = direct.unaligned = false;
    translator.opened_count = 0;
}

static void begin(const struct image *image, uint32_t cache_bytes)
{
    if (here)
        empty_translator(cache_bytes);
    else
        emulator_forget(&emulator);
    m->stopped = false;
    m->why[0] = 0;
    memcpy(m->mem.ram, image->ram, RAM_BYTES);
    m->cpu = image->cpu;
    storm = storm_begins;
    end = END_RUNNING;
    at = 0;
    failed = false;
}

static bool ended(void)
{
    if (end == END_RUNNING && m->stopped)
        end = END_STOPPED;
    if (end == END_RUNNING && m->cpu.halted)
        end = END_HALT;
    return end != END_RUNNING || failed;
}

/* The accessed bits may be set by whoever looks ahead. */
static uint8_t compared(const uint8_t *ram, uint32_t gpa)
{
    return gpa / PAGE_BYTES == PAGE_TABLE / PAGE_BYTES && gpa % 4 == 0 ? ram[gpa] & ~PTE_A : ram[gpa];
}

static void compare_memory(void)
{
    if (memcmp(m->mem.ram, reference.ram, RAM_BYTES) == 0)
        return;
    for (uint32_t gpa = 0; gpa < RAM_BYTES; gpa++)
        if (compared(m->mem.ram, gpa) != compared(reference.ram, gpa))
            fail("memory at %08x is %02x, not %02x", gpa, m->mem.ram[gpa], reference.ram[gpa]);
}

static void compare_word(const char *name, uint32_t got, uint32_t want)
{
    if (got != want)
        fail("%s is %08x, not %08x", name, got, want);
}

static void compare_segments(const struct vcpu *got, const struct vcpu *want)
{
    static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs" };

    for (int k = 0; k < SEGREGS; k++) {
        compare_word(names[k], got->seg[k].selector, want->seg[k].selector);
        if (memcmp(&got->seg[k], &want->seg[k], sizeof got->seg[k]) != 0)
            fail("the hidden part of %s differs", names[k]);
    }
    compare_word("ldtr", got->ldtr.selector, want->ldtr.selector);
    compare_word("tr", got->tr.selector, want->tr.selector);
}

static uint32_t error_code(const struct vcpu *cpu) { return cpu->fault.has_error ? cpu->fault.error : ~0u; }
static uint32_t fault_address(const struct vcpu *cpu) { return cpu->fault.vector == VEC_PF ? cpu->fault.cr2 : 0; }

/* CMPS: of two reads that both fault, processors are free which is first, and this one may begin with the other when it
 * repeats. ARPL writes only what changes, but some say "write" of any page that is missing. */
static bool faults_freely(void)
{
    struct fault fault = m->cpu.fault;
    struct insn insn;
    bool decoded = decode_at_eip(m, &insn);
    uint8_t opcode = decoded ? insn.bytes[insn.opcode_at] : 0;

    m->cpu.fault = fault;
    return decoded && ((opcode & 0xfe) == CMPS || opcode == ARPL);
}

static void compare(enum way way)
{
    static const char *const ends[] = { "running", "halt", "fault", "stopped", "never" };
    const struct vcpu *got = &m->cpu, *want = &reference.cpu;
    struct state state = state_of(got);

    if (end != reference.end)
        fail("end: %s (vector %u), not %s (vector %u)%s%s", ends[end], got->fault.vector, ends[reference.end],
             want->fault.vector, m->stopped ? ": " : "", m->why);
    if (end == END_FAULT) {
        compare_word("vector", got->fault.vector, want->fault.vector);
        if ((way != WAY_EMULATED && way != WAY_STEP) || !faults_freely()) {
            compare_word("error code", error_code(got), error_code(want));
            compare_word("fault address", fault_address(got), fault_address(want));
        }
    }
    at = reference.states - 1;
    if (!same(reference.state, at, &state))
        fail_state("at the end", &state);
    compare_segments(got, want);
    compare_word("cr0", got->cr0, want->cr0);
    compare_word("cr2", got->cr2, want->cr2);
    compare_word("cr3", got->cr3, want->cr3);
    compare_word("cr4", got->cr4, want->cr4);
    compare_word("gdtr", got->gdtr.base ^ got->gdtr.limit, want->gdtr.base ^ want->gdtr.limit);
    compare_word("idtr", got->idtr.base ^ got->idtr.limit, want->idtr.base ^ want->idtr.limit);
    compare_memory();
}

/* ---- one by one ---------------------------------------------------------------------------------- */

static void emulated(const struct insn *insn)
{
    reference.untrapped |= isa_rows[insn->isa].class == CLASS_SENSITIVE;
    if (!emulate(m, insn))
        end = m->stopped ? END_STOPPED : END_FAULT;
}

/* Beyond RAM, without paging: the emulator finds an empty bus there, direct execution ends the guest. */
static bool is_beyond_ram(const struct insn *insn)
{
    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (op->kind == OPERAND_MEM && !(m->cpu.cr0 & CR0_PG) &&
            m->cpu.seg[op->seg].base + operand_offset(&m->cpu, insn, op) >= RAM_BYTES - 8)
            return true;
    return false;
}

/* The emulator, and the monitor where it carries out a near branch, know nothing of #AC: a gap that shows only here. */
static bool is_unaligned(const struct insn *insn)
{
    const struct vcpu *cpu = &m->cpu;
    bool checks = vcpu_cpl(cpu) == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);

    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (checks && op->kind == OPERAND_MEM && (insn->isa != ISA_OTHER || insn->branch != BRANCH_NONE) &&
            op->bytes > 1 && (cpu->seg[op->seg].base + operand_offset(cpu, insn, op)) % op->bytes != 0)
            return true;
    return false;
}

/* Instructions that the reference cannot run by itself. True: done. */
static bool stepped_otherwise(void)
{
    struct insn insn;

    if (!decode_at_eip(m, &insn)) {
        end = END_FAULT;
    } else if (insn.fpu || is_beyond_ram(&insn) || is_unaligned(&insn)) {
        end = END_NEVER;
    } else if (insn.isa != ISA_OTHER) {
        emulated(&insn);
    } else if (!insn.known) {
        vcpu_raise(&m->cpu, VEC_UD);
        end = END_FAULT;
    } else {
        return false;
    }
    return true;
}

/* One instruction, or a turn of a repeated one, by the trap flag. */
static void step(enum direct_exit (*run)(void))
{
    struct vcpu *cpu = &m->cpu;
    bool traced = cpu->eflags & FLAG_TF;
    uint32_t dr6 = cpu->dr[6];
    enum direct_exit exit;

    cpu->eflags |= FLAG_TF;
    do
        exit = run();
    while (exit == DIRECT_INTERRUPTED);
    cpu->dr[6] = dr6;
    if (!traced)
        cpu->eflags &= ~(uint32_t)FLAG_TF;
    if (exit == DIRECT_SENSITIVE)
        emulated(direct.insn);
    else if (exit == DIRECT_EXCEPTION && (traced || cpu->fault.vector != VEC_DB))
        end = END_FAULT;
}

static enum direct_exit run_direct(void) { return direct_run(&direct, UINT64_MAX); }

/* Where this host cannot. */
static enum direct_exit run_interpreted(void)
{
    enum emulator_exit exit = emulator_run(&emulator, UINT64_MAX);

    direct.insn = emulator.insn;
    return exit == EMULATOR_SENSITIVE ? DIRECT_SENSITIVE : DIRECT_EXCEPTION;
}

static enum direct_exit run_translated(void) { return translator_run(&translator, UINT64_MAX); }

/* Kernels without CONFIG_X86_16BIT refuse 16-bit segments, and the guest was stopped at its first. What else is refused is our mistake. */
static bool is_refused(const struct vcpu *cpu)
{
    if (!m->stopped || m->status != EXIT_HOST)
        return false;
    for (int k = 0; k < SEGREGS; k++)
        if ((cpu->seg[k].attr & (ATTR_PRESENT | ATTR_BIG)) == ATTR_PRESENT)
            return true;
    fprintf(stderr, "streams: %s\n", m->why);
    exit(EXIT_BUG);
}

/* Linux and IRET make 0 of a null selector's lower bits: direct execution loses them. IRET to a stack of 16 bits leaves the
 * host's upper half in ESP, at every single step. */
static bool is_comparable(const struct vcpu *cpu)
{
    if (!(cpu->seg[SS].attr & ATTR_BIG) && cpu->gpr[ESP] > 0xffff)
        return false;
    for (int k = 0; k < SEGREGS; k++)
        if (cpu->seg[k].selector >= 1 && cpu->seg[k].selector <= 3)
            return false;
    return end != END_NEVER && !(m->stopped && m->status == EXIT_BUG) && !is_refused(cpu);
}

bool ways_reference(const struct image *image, struct rng *r)
{
    storm_begins = *r;
    begin(image, CACHE_BYTES_DEFAULT);
    reference.states = 0;
    reference.untrapped = false;
    reference.state[reference.states++] = state_of(&m->cpu);
    while (!ended()) {
        if (reference.states == STATES_MAX || !is_comparable(&m->cpu))
            return false;
        if (!stepped_otherwise())
            step(here ? run_direct : run_interpreted);
        reference.state[reference.states++] = state_of(&m->cpu);
    }
    reference.end = end;
    reference.cpu = m->cpu;
    memcpy(reference.ram, m->mem.ram, RAM_BYTES);
    return is_comparable(&m->cpu);
}

static void run_stepped(void)
{
    while (!ended()) {
        unsigned before = at;

        step(run_translated);
        if (!m->stopped)
            follow("single-stepped");
        if (at > before + 1)
            fail("a single step went over %u instructions, to eip %08x", at - before, m->cpu.eip);
    }
}

/* ---- all at once --------------------------------------------------------------------------------- */

static uint64_t deadline(bool storms, unsigned n)
{
    return console_now() + (!storms ? 500000000 : n % 64 == 63 ? 1000000 : rng_below(&storm, 3000));
}

static void run_free(bool storms)
{
    uint64_t give_up = console_now() + 30000000000;      /* ns: far more than a busy host takes */

    for (unsigned n = 0; !ended(); n++) {
        enum direct_exit exit = translator_run(&translator, deadline(storms, n));

        if (exit == DIRECT_SENSITIVE)           /* a POPF may have lost the flags by then */
            emulated(direct.insn);
        else if (exit == DIRECT_EXCEPTION)
            end = END_FAULT;
        if (!m->stopped)
            follow(exit == DIRECT_INTERRUPTED ? "interrupted" : "left the cache");
        if (console_now() > give_up)
            end = END_NEVER;
    }
}

/* ---- every host instruction ---------------------------------------------------------------------- */

static uint32_t previous;           /* host address; 0: not known */
static unsigned interrupt_in;       /* host instructions; 0: never */

/* Our trap flag shows in what a PUSHFD of the translator's own has pushed. */
static void clean_pushed_flags(void)
{
    enum { PUSHFD = 0x9c };
    struct cache *c = &translator.cache;

    if (previous && *cache_writable(c, previous) == PUSHFD && m->cpu.eip == previous + 1)
        *(uint32_t *)(uintptr_t)(m->cpu.gpr[ESP] + m->cpu.seg[SS].base + direct.shadow.window) &= ~(uint32_t)FLAG_TF;
}

/* The guest's state, were it interrupted here. */
static void look_at_state(const struct block *b)
{
    struct vcpu *cpu = &m->cpu, saved = *cpu;
    bool aligned = vcpu_cpl(cpu) == 3 && (cpu->cr0 & CR0_AM);
    struct back back;
    uint32_t ours = FLAGS_NOT_HARDWARE | FLAG_TF | (aligned ? 0 : FLAG_AC);
    struct insn insn;
    char where[80];

    snprintf(where, sizeof where, "at host %08x of block %08x (+%u)", cpu->eip, b->eip, cpu->eip - b->landing);
    cpu->eflags = (cpu->eflags & ours) | (direct_world.eflags & ~ours) | FLAG_ONE;
    back = translate_back(&translator.cache, b, cpu->eip);
    if (back.forward && (!decode_at_eip(m, &insn) || !emulate(m, &insn)))
        fail("%s: the instruction cannot be ended", where);
    else
        follow(where);
    *cpu = saved;
}

/* Mostly few; sometimes more than a block needs to look whether its bytes are still the same. */
static unsigned some(void) { return 1 + rng_below(&storm, rng_chance(&storm, 90) ? 8 : 600); }

static bool spy(struct translator *t)
{
    uint32_t host = m->cpu.eip;
    const struct block *b = cache_block_at(&t->cache, host);

    if (direct_world.signal != SIGTRAP || direct_world.trap != VEC_DB) {
        previous = 0;
        return false;
    }
    clean_pushed_flags();
    previous = host;
    if (!b) {                       /* a stub, or the gate: no trap may come in 64-bit code */
        if (!cache_exit_at(&t->cache, host) && !gate_contains(host))
            fail("host address %08x is in no block", host);
        direct_world.translated = true;
        direct_world.eflags &= ~(uint64_t)FLAG_TF;
        previous = 0;
        return true;
    }
    stops++;
    look_at_state(b);
    if (failed || (interrupt_in && --interrupt_in == 0)) {
        interrupt_in = some();
        direct_world.signal = SIGALRM;
        previous = 0;
        return false;
    }
    return true;
}

static void run_spied(bool interrupted)
{
    previous = 0;
    interrupt_in = interrupted ? some() : 0;
    translator.spy = spy;
    run_free(false);
    translator.spy = NULL;
}

/* ---- emulated ------------------------------------------------------------------------------------- */

/* The interpreter has a machine of its own; its state is shown in the common one. */
static void run_emulated(void)
{
    struct machine *own = &emulator.vm.machine;
    enum emulator_exit exit;

    emulator_forget(&emulator);
    memcpy(own->mem.ram, m->mem.ram, RAM_BYTES);
    memcpy(own->cpuid, m->cpuid, sizeof m->cpuid);
    own->cpu = m->cpu;
    own->stopped = false;
    while (!ended()) {
        exit = emulator_run(&emulator, console_now() + 3000000000);
        if (exit == EMULATOR_EXCEPTION || (exit == EMULATOR_SENSITIVE && !emulate(own, emulator.insn)))
            end = own->stopped ? END_STOPPED : END_FAULT;
        if (exit == EMULATOR_INTERRUPTED)
            end = END_NEVER;
        m->cpu = own->cpu;
        if (end != END_STOPPED)
            follow("emulated");
    }
    memcpy(m->mem.ram, own->mem.ram, RAM_BYTES);
}

/* ---- together ------------------------------------------------------------------------------------ */

bool ways_run(enum way way, const struct image *image, char *why, size_t size)
{
    failure = why;
    failure_size = size;
    begin(image, way == WAY_SMALL ? CACHE_BYTES_MIN : CACHE_BYTES_DEFAULT);
    switch (way) {
    case WAY_STEP: run_stepped(); break;
    case WAY_STORM: run_free(true); break;
    case WAY_EVERYWHERE: run_spied(false); break;
    case WAY_INTERRUPTED: run_spied(true); break;
    case WAY_EMULATED: run_emulated(); break;
    default: run_free(false); break;
    }
    compare(way);
    return !failed;
}

bool ways_traps(void) { return !reference.untrapped; }

bool ways_kept_to(uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < reference.states; i++) {
        uint32_t eip = reference.state[i].word[8];

        if ((eip < from || eip >= to) && (eip < HANDLERS || eip >= HANDLERS + PAGE_BYTES))
            return false;
    }
    return true;
}

/* Of their page faults in ring 3 QEMU says that the kernel made them. */
static bool is_far(enum isa isa)
{
    return isa == ISA_CALL_FAR || isa == ISA_RET_FAR || isa == ISA_IRET || isa == ISA_IRETD;
}

/* A fault that another processor takes another way. Of two things to read CMPS and LDS may read either first. QEMU
 * stores the lowest word of PUSHA first, reads first what is to be changed, loses flags when SETcc faults, and asks neither a segment's
 * type nor its limit. */
static bool faults_otherwise(const struct insn *insn)
{
    const struct vcpu *cpu = &m->cpu;
    const uint8_t *opcode = insn->bytes + insn->opcode_at;

    if (opcode[0] == PUSHA || (opcode[0] & 0xfe) == CMPS || (insn->isa >= ISA_LDS && insn->isa <= ISA_LSS))
        return true;
    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (op->kind == OPERAND_MEM && ((op->read && op->written) ||
                                        !segment_allows(&cpu->seg[op->seg], operand_offset(cpu, insn, op), op->bytes,
                                                        op->written ? ACCESS_WRITE : ACCESS_READ)))
            return true;
    return opcode[0] == 0x0f && (opcode[1] & 0xf0) == 0x90;
}

/* By VECTOR_END, for which the image has no gate, or an exception that QEMU takes alike; with a stack to tell of it. */
bool ways_ends_alike(void)
{
    const struct vcpu *cpu = &reference.cpu;
    uint32_t top = cpu->gpr[ESP] - STACK;
    struct insn insn;

    if (reference.end != END_FAULT || (vcpu_cpl(cpu) == 0 && (top < 256 || top > STACK_BYTES)))
        return false;
    switch (cpu->fault.vector) {
    case VEC_DE: case VEC_BR: return true;
    case VEC_UD: return decode_at_eip(m, &insn);
    case VEC_PF: return decode_at_eip(m, &insn) && !is_far(insn.isa) && !faults_otherwise(&insn);
    case VEC_GP: case VEC_NP: case VEC_SS:
        return decode_at_eip(m, &insn) && insn.isa != ISA_OTHER && !faults_otherwise(&insn);
    default: return false;
    }
}

const char *ways_end(void)
{
    static char text[32];

    if (reference.end != END_FAULT)
        return reference.end == END_HALT ? "halt" : "stopped";
    snprintf(text, sizeof text, "fault %u", reference.cpu.fault.vector);
    return text;
}

unsigned ways_steps(void) { return reference.states - 1; }
uint64_t ways_blocks(void) { return m->counters.blocks_translated; }
uint64_t ways_stops(void) { return stops; }
