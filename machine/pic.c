/* See pic.h. Priorities are counted from the input that has the highest one now: 0 comes first, 8 is none. */
#include "pic.h"

#include <string.h>

#include "pc.h"

enum { CASCADE_BIT = 1 << IRQ_CASCADE, SPURIOUS = 7, NONE = 8 };

static unsigned priority_of(const struct pic_chip *chip, unsigned inputs)
{
    unsigned priority = 0;

    while (priority < NONE && !(inputs >> ((priority + chip->lowest) & 7) & 1))
        priority++;
    return priority;
}

/* The input that asks for service and outranks those in service, or -1. */
static int chip_request(const struct pic_chip *chip, bool is_master)
{
    unsigned priority = priority_of(chip, chip->irr & (uint8_t)~chip->imr);
    unsigned in_service = chip->isr;

    if (chip->special_mask)
        in_service &= ~(unsigned)chip->imr;
    if (chip->fully_nested && is_master)
        in_service &= ~(unsigned)CASCADE_BIT;
    if (priority >= priority_of(chip, in_service))
        return -1;
    return (int)((priority + chip->lowest) & 7);
}

static void chip_line(struct pic_chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (level && !(chip->lines & bit))
        chip->irr |= bit;       /* stays until acknowledged, even if the line falls: so does QEMU's */
    chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
}

static void chip_ack(struct pic_chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!chip->auto_eoi)
        chip->isr |= bit;
    else if (chip->rotate_on_auto_eoi)
        chip->lowest = (input + 1) & 7;
    chip->irr &= (uint8_t)~bit;
}

/* The second chip's output is the first one's input. */
static void cascade(struct pic *pic)
{
    chip_line(&pic->chip[0], IRQ_CASCADE, chip_request(&pic->chip[1], false) >= 0);
}

void pic_init(struct pic *pic)
{
    memset(pic, 0, sizeof *pic);
}

void pic_line(struct pic *pic, unsigned irq, bool level)
{
    chip_line(&pic->chip[irq >> 3 & 1], irq & 7, level);
    cascade(pic);
}

bool pic_intr(const struct pic *pic)
{
    return chip_request(&pic->chip[0], true) >= 0;
}

bool pic_pending(const struct pic *pic, unsigned irq)
{
    return pic->chip[irq >> 3 & 1].irr >> (irq & 7) & 1;
}

uint8_t pic_ack(struct pic *pic)
{
    struct pic_chip *chip = &pic->chip[0];
    int input = chip_request(chip, true);

    if (input < 0)
        return chip->base + SPURIOUS;
    chip_ack(chip, (unsigned)input);
    if (input == IRQ_CASCADE) {
        chip = &pic->chip[1];
        input = chip_request(chip, false);
        if (input < 0)
            return chip->base + SPURIOUS;       /* the first chip is in service all the same */
        chip_ack(chip, (unsigned)input);
        cascade(pic);
    }
    return chip->base + (uint8_t)input;
}

static void end_of_interrupt(struct pic_chip *chip, uint8_t value)
{
    bool specific = value & 0x40, rotate = value & 0x80;
    unsigned input = value & 7;

    if (!specific) {
        unsigned priority = priority_of(chip, chip->isr);

        if (priority == NONE)
            return;
        input = (priority + chip->lowest) & 7;
    }
    chip->isr &= (uint8_t)~(1u << input);
    if (rotate)
        chip->lowest = (input + 1) & 7;
}

static void write_command(struct pic_chip *chip, uint8_t value)
{
    if (value & 0x10) {                         /* ICW1 */
        *chip = (struct pic_chip){ .step = 2, .needs_icw4 = value & 1, .single = value & 2 };
    } else if (value & 0x08) {                  /* OCW3 */
        chip->poll = value & 0x04;
        if (value & 0x02)
            chip->read_isr = value & 0x01;
        if (value & 0x40)
            chip->special_mask = value & 0x20;
    } else if (value & 0x20) {                  /* OCW2, with EOI */
        end_of_interrupt(chip, value);
    } else if (value & 0x40) {                  /* set priority; without bit 7, no operation */
        if (value & 0x80)
            chip->lowest = (value + 1) & 7;
    } else {
        chip->rotate_on_auto_eoi = value & 0x80;
    }
}

static void write_data(struct pic_chip *chip, uint8_t value)
{
    switch (chip->step) {
    case 0:
        chip->imr = value;
        break;
    case 2:
        chip->base = value & 0xf8;
        chip->step = !chip->single ? 3 : chip->needs_icw4 ? 4 : 0;
        break;
    case 3:                                     /* which input the cascade uses: wired, here */
        chip->step = chip->needs_icw4 ? 4 : 0;
        break;
    case 4:
        chip->fully_nested = value & 0x10;
        chip->auto_eoi = value & 0x02;
        chip->step = 0;
        break;
    }
}

void pic_out(struct pic *pic, uint16_t port, uint8_t value)
{
    struct pic_chip *chip = &pic->chip[port >= PORT_PIC2_COMMAND];

    if (port & 1)
        write_data(chip, value);
    else
        write_command(chip, value);
    cascade(pic);
}

uint8_t pic_in(struct pic *pic, uint16_t port)
{
    struct pic_chip *chip = &pic->chip[port >= PORT_PIC2_COMMAND];

    if (chip->poll) {
        int input = chip_request(chip, chip == &pic->chip[0]);

        chip->poll = false;
        if (input < 0)
            return 0;
        chip_ack(chip, (unsigned)input);
        cascade(pic);
        return 0x80 | (uint8_t)input;
    }
    if (port & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}
