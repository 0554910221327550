/* The tiny kernel's own interface, one section per file. Read next: main.c, ops.h. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pc.h"
#include "text.h"

/* ---- memory map: guests/README.md draws it ---- */
#define KERNEL_BASE 0xc0000000u         /* physical 0 is here */
#define USER_BASE   0x00400000u         /* program text, data, heap */
#define USER_STACK  0x00800000u         /* grows down from here */
#define PAGE        4096u
#define RAM_PAGES   32768               /* at most: 128 MiB */

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 32, PTE_D = 64, PTE_G = 256 };

/* ---- selectors: gdt.c says why these ---- */
enum { SEL_KCODE = 0x08, SEL_KDATA = 0x10, SEL_UCODE = 0x1b, SEL_UDATA = 0x3b, SEL_TSS = 0x40 };
enum { VEC_PF = 14, VEC_IRQ = 0x20, VEC_SYSCALL = 0x40 };

struct gdt_entry { uint32_t low, high; };
struct idt_gate { uint32_t low, high; };
struct tss {                            /* Intel SDM vol. 3A 7.2.1 */
    uint32_t link, esp0, ss0, unused[22];
    uint16_t trap, iomap_base;
    uint8_t iomap[8192 + 1];
} __attribute__((packed));

extern struct gdt_entry gdt[40];
extern struct idt_gate idt[256];
extern struct tss tss;
struct gdt_entry segment_descriptor(uint32_t base, uint32_t limit, uint32_t attr);
void gdt_init(void);

/* ---- traps ---- */
struct trapframe {                      /* as entry.asm pushes it, lowest address first */
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_dummy, ebx, edx, ecx, eax;
    uint32_t vector, error;             /* error 0 where the processor pushes none */
    uint32_t eip, cs, eflags;
    uint32_t esp, ss;                   /* only if cs & 3 */
};
extern bool (*trap_hook)(struct trapframe *);   /* asked first, for every vector; true: handled */
void idt_init(void);
void idt_set(unsigned vector, uint32_t handler, unsigned dpl);
void kernel_panic(const struct trapframe *f, const char *why) __attribute__((noreturn));
struct symbol { uint32_t address; const char *name; };
extern const struct symbol symbol_table[];      /* made by the Makefile; sorted, ends with address ~0 */
const char *symbol_at(uint32_t address, uint32_t *offset);

/* ---- memory ---- */
extern uint32_t *kernel_pgdir;
static inline void *phys_to_virt(uint32_t pa) { return (void *)(pa + KERNEL_BASE); }
static inline uint32_t virt_to_phys(const void *va) { return (uint32_t)va - KERNEL_BASE; }
struct boot;
void memory_init(const struct boot *boot);
uint32_t page_alloc(void);              /* physical address of a zeroed page; panics when none is left */
void page_free(uint32_t pa);
uint32_t pages_free(void);
uint32_t *pte_of(uint32_t *pgdir, uint32_t va);         /* NULL if there is no page table */
void map_page(uint32_t *pgdir, uint32_t va, uint32_t pa, uint32_t flags);   /* makes the table; flushes nothing */

/* ---- devices ---- */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* %s %c %d %u %x %08x %% */
extern volatile uint32_t ticks;

/* ---- what runs ---- */
const char *option(const char *name);                   /* value of name=value, a copy that lasts; NULL if absent */
uint32_t option_number(const char *name, uint32_t otherwise);
bool verdict(const char *name, uint32_t want, uint32_t got);  /* prints the PROBE line; true: they are the same */
const char *command_line(void);
struct program { const char *name; void (*main)(void); };
extern const struct program programs[];         /* ends with a NULL name */
void report(unsigned passed, unsigned failed) __attribute__((noreturn));
void give_up(void) __attribute__((noreturn));           /* there is no such program: no verdict, and a status of its own */

#endif
