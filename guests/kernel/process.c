/* Processes: each has its own page directory (the kernel's quarter is shared) and its own kernel stack; a timer
 * tick in ring 3 takes the processor away, round robin. The kernel itself is never preempted. */
#include "process.h"

#include "kernel.h"
#include "ops.h"
#include "syscall.h"

enum { PROCESSES = 16, FLAGS_USER = 0x202 };
enum { PTE_USER_TEXT = PTE_P | PTE_U | PTE_A | PTE_D, PTE_USER_DATA = PTE_USER_TEXT | PTE_W };  /* born accessed */

enum state { FREE, RUNNABLE, SLEEPING, WAITING, ZOMBIE };

struct process {
    enum state state;
    int pid, parent, status;
    uint32_t *pgdir;                    /* by the kernel's address */
    uint8_t *stack;                     /* one page */
    uint32_t esp;                       /* saved by switch_stacks */
    uint32_t wake;                      /* SLEEPING: until this tick */
    uint32_t brk;
};

static struct process table[PROCESSES], *current;
static uint32_t boot_esp;
static int next_pid = 1;
static bool due;                        /* the timer has ticked */

extern const uint8_t user_image[], user_text_end[], user_shared_end[], user_image_end[];   /* kernel.ld */
extern const uint8_t trap_return[];     /* entry.asm */

void switch_stacks(uint32_t *save_esp, uint32_t esp);

bool process_running(void) { return current != NULL; }

/* ---- address spaces ------------------------------------------------------------------------------ */

static bool is_shared(uint32_t pa) { return pa < virt_to_phys(user_image_end); }

static void copy_page(uint32_t *pgdir, uint32_t va, const void *from)
{
    uint32_t pa = page_alloc();

    memcpy(phys_to_virt(pa), from, PAGE);
    map_page(pgdir, va, pa, PTE_USER_DATA);
}

/* The one image that holds all programs: text and SHARED variables in place, other data copied; one stack page. */
static uint32_t *first_space(uint32_t *brk)
{
    uint32_t *pgdir = space_alloc(), va = USER_BASE;

    for (const uint8_t *p = user_image; p < user_image_end; p += PAGE, va += PAGE) {
        if (p < user_text_end)
            map_page(pgdir, va, virt_to_phys(p), PTE_USER_TEXT);
        else if (p < user_shared_end)
            map_page(pgdir, va, virt_to_phys(p), PTE_USER_DATA);
        else
            copy_page(pgdir, va, p);
    }
    map_page(pgdir, USER_STACK - PAGE, page_alloc(), PTE_USER_DATA);
    ptes_sync();
    *brk = va;
    return pgdir;
}

/* Walks the user's page tables; the kernel's begin at entry 768. */
static void for_user_pages(uint32_t *pgdir, void (*what)(uint32_t *to, uint32_t va, uint32_t pte), uint32_t *to)
{
    for (uint32_t va = 0; va < KERNEL_BASE; va += 1024 * PAGE) {
        uint32_t *pte = pte_of(pgdir, va);

        for (unsigned i = 0; pte && i < 1024; i++)
            if (pte[i] & PTE_P)
                what(to, va + i * PAGE, pte[i]);
    }
}

static void fork_page(uint32_t *to, uint32_t va, uint32_t pte)
{
    if (is_shared(pte & ~(PAGE - 1)))
        map_page(to, va, pte & ~(PAGE - 1), pte & (PAGE - 1));
    else
        copy_page(to, va, phys_to_virt(pte & ~(PAGE - 1)));
}

static void free_user_page(uint32_t *to, uint32_t va, uint32_t pte)
{
    (void)to;
    (void)va;
    if (!is_shared(pte & ~(PAGE - 1)))
        page_free(pte & ~(PAGE - 1));
}

static void free_space(uint32_t *pgdir)
{
    for_user_pages(pgdir, free_user_page, NULL);
    for (unsigned i = 0; i < KERNEL_BASE >> 22; i++)
        if (pgdir[i] & PTE_P)
            table_free(&pgdir[i]);
    space_free(pgdir);
}

/* ---- switching ----------------------------------------------------------------------------------- */

static struct process *next_runnable(void)
{
    unsigned from = current ? (unsigned)(current - table) : 0;

    for (unsigned i = 1; i <= PROCESSES; i++) {
        struct process *p = &table[(from + i) % PROCESSES];

        if (p->state == RUNNABLE)
            return p;
    }
    return NULL;
}

/* Gives the processor to the next runnable process; waits for an interrupt while there is none. */
static void schedule(void)
{
    struct process *old = current, *next;

    due = false;
    while (!(next = next_runnable()))
        idle();
    if (next == old)
        return;
    current = next;
    set_kernel_stack((uint32_t)next->stack + PAGE);
    load_cr3(virt_to_phys(next->pgdir));
    switch_stacks(old ? &old->esp : &boot_esp, next->esp);
}

void yield(void) { schedule(); }

void yield_if_due(void)
{
    if (due)
        schedule();
}

void process_tick(void)
{
    due = true;
    for (struct process *p = table; p < table + PROCESSES; p++)
        if (p->state == SLEEPING && (int32_t)(ticks - p->wake) >= 0)
            p->state = RUNNABLE;
}

/* ---- life and death ------------------------------------------------------------------------------- */

/* A process whose first return from switch_stacks() goes through trap_return into `f`. Stack, from above:
 * trapframe, trap_return, then what switch_stacks() pops. */
static struct process *new_process(uint32_t *pgdir, const struct trapframe *f)
{
    struct process *p = table;
    struct trapframe *frame;
    uint32_t *esp;

    while (p->state != FREE)
        if (++p == table + PROCESSES)
            return NULL;
    *p = (struct process){ .state = RUNNABLE, .pid = next_pid++, .pgdir = pgdir };
    p->stack = phys_to_virt(page_alloc());
    frame = (struct trapframe *)(p->stack + PAGE) - 1;
    *frame = *f;
    esp = (uint32_t *)frame - 5;
    esp[4] = (uint32_t)trap_return;
    p->esp = (uint32_t)esp;
    return p;
}

void process_start(uint32_t entry)
{
    uint32_t brk, *pgdir = first_space(&brk);
    struct trapframe f = {
        .ds = SEL_UDATA, .es = SEL_UDATA, .eip = entry, .cs = SEL_UCODE, .eflags = FLAGS_USER, .esp = USER_STACK,
        .ss = SEL_UDATA,
    };

    new_process(pgdir, &f)->brk = brk;
    schedule();
}

int process_fork(const struct trapframe *f)
{
    uint32_t *pgdir = space_alloc();
    struct trapframe child = *f;
    struct process *p;

    child.eax = 0;
    p = new_process(pgdir, &child);
    if (!p) {
        free_space(pgdir);
        return -1;
    }
    for_user_pages(current->pgdir, fork_page, pgdir);
    ptes_sync();
    p->parent = current->pid;
    p->brk = current->brk;
    return p->pid;
}

void process_exit(int status)
{
    if (current->pid == 1 && status == NO_SUCH_PROGRAM)
        give_up();
    if (current->pid == 1)
        report(status < 0 ? 0 : (unsigned)status >> 8, status < 0 ? 1 : (unsigned)status & 0xff);
    for (struct process *p = table; p < table + PROCESSES; p++)
        if (p->parent == current->pid)
            p->parent = 1;              /* orphans, ended or not, are for process 1 to wait for */
    current->status = status;
    current->state = ZOMBIE;
    for (struct process *p = table; p < table + PROCESSES; p++)
        if (p->pid == current->parent && p->state == WAITING)
            p->state = RUNNABLE;
    schedule();
    __builtin_unreachable();
}

/* Returns the pid of a child that has ended, -1 if there is none at all. */
int process_wait(int *status)
{
    for (;;) {
        bool any = false;

        for (struct process *p = table; p < table + PROCESSES; p++) {
            int pid = p->pid;

            if (p->state == FREE || p->parent != current->pid)
                continue;
            any = true;
            if (p->state != ZOMBIE)
                continue;
            *status = p->status;
            free_space(p->pgdir);
            page_free(virt_to_phys(p->stack));
            *p = (struct process){ .state = FREE };
            return pid;
        }
        if (!any)
            return -1;
        current->state = WAITING;
        schedule();
    }
}

void process_sleep(uint32_t how_long)
{
    current->wake = ticks + how_long;
    current->state = SLEEPING;
    schedule();
}

int process_pid(void) { return current->pid; }

/* Grow the heap; it never shrinks. Returns its old end, or -1. */
int32_t process_brk(uint32_t bytes)
{
    uint32_t old = current->brk, new = old + bytes;

    if (new < old || new > USER_STACK - 16 * PAGE || bytes / PAGE + 2 > pages_free())
        return -1;
    for (uint32_t va = (old + PAGE - 1) & ~(PAGE - 1); va < new; va += PAGE)
        map_page(current->pgdir, va, page_alloc(), PTE_USER_DATA);
    ptes_sync();
    current->brk = new;
    return (int32_t)old;
}

/* Is every byte the process's own, with these rights? (CR0.WP is on: the kernel would fault in read-only text.) */
bool process_owns(uint32_t va, uint32_t bytes, uint32_t rights)
{
    rights |= PTE_P | PTE_U;
    if (bytes > USER_STACK || va > USER_STACK - bytes)
        return false;
    for (uint32_t page = va & ~(PAGE - 1); page < va + bytes; page += PAGE) {
        uint32_t *pte = pte_of(current->pgdir, page);

        if (!pte || (*pte & rights) != rights)
            return false;
    }
    return true;
}
